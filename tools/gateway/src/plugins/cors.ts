import type { ConfigOf } from '../config/plugin.schema';
import type { Exchange, Exit, Headers, ResponseHead } from '../exchange';
import type { Plugin } from './plugin';

/** Answers preflights itself and marks every other answer. One configured origin is always sent, several only if asked for. */
export class CorsPlugin implements Plugin {
  readonly name = 'cors';
  private readonly origins: Set<string>;

  constructor(private readonly config: ConfigOf<'cors'>) {
    this.origins = new Set(config.origins.map(normalise));
  }

  access(exchange: Exchange): Exit | undefined {
    const asked = exchange.headers['access-control-request-method'];
    if (exchange.method !== 'OPTIONS' || !exchange.headers.origin || !asked) return undefined;
    exchange.answeredPreflight = true;
    const headers: Headers = {};
    this.allowOrigin(headers, exchange.headers.origin);
    const allowed = this.config.headers.join(',') || exchange.header('access-control-request-headers');
    if (allowed) headers['access-control-allow-headers'] = allowed;
    headers['access-control-allow-methods'] = this.config.methods.join(',');
    if (this.config.max_age !== undefined) headers['access-control-max-age'] = String(this.config.max_age);
    return { status: 200, headers: headers as Record<string, string> };
  }

  headerFilter(exchange: Exchange, head: ResponseHead): void {
    if (exchange.answeredPreflight) return;
    this.allowOrigin(head.headers, exchange.headers.origin);
    if (this.config.exposed_headers.length > 0)
      head.headers['access-control-expose-headers'] = this.config.exposed_headers.join(',');
  }

  private allowOrigin(headers: Headers, origin: string | undefined): void {
    const { origins, credentials } = this.config;
    if (origins.length === 0 || origins.includes('*')) {
      headers['access-control-allow-origin'] = credentials && origin ? origin : '*';
      if (credentials && origin) {
        headers.vary = withOrigin(headers.vary);
        headers['access-control-allow-credentials'] = 'true';
      }
      return;
    }
    headers.vary = withOrigin(headers.vary);
    if (origins.length === 1) headers['access-control-allow-origin'] = origins[0];
    else if (origin && this.origins.has(normalise(origin)))
      headers['access-control-allow-origin'] = normalise(origin);
    else delete headers['access-control-allow-origin'];
    if (credentials) headers['access-control-allow-credentials'] = 'true';
  }
}

function normalise(origin: string): string {
  return origin.replace(/^(http:\/\/[^/]+):80$|^(https:\/\/[^/]+):443$/, '$1$2');
}

function withOrigin(vary: Headers[string]): string {
  return [vary ?? [], 'Origin'].flat().join(', ');
}

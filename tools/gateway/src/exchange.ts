import type { IncomingHttpHeaders } from 'node:http';
import type { CompiledRoute } from './router';

/** Header names in lower case; several values of one name as a list. */
export type Headers = Record<string, string | string[] | undefined>;

/** An answer that a plugin or the gateway itself gives instead of a service. */
export interface Exit {
  status: number;
  /** An object becomes JSON; `message` is what problem+json later shows as its detail. */
  body?: Record<string, unknown> | string;
  headers?: Record<string, string>;
  /** `exit`: said by a plugin; `error`: a fault on the way. Both are the gateway's own. */
  source?: 'exit' | 'error';
}

export interface ResponseHead {
  status: number;
  source: 'service' | 'exit' | 'error';
  headers: Headers;
}

/** One request on its way through the plugins: what came in, what will be sent on, and what plugins remember of it. */
export class Exchange {
  /** Without duplicates, in lower case; plugins change it and the service sees the result. */
  readonly headers: IncomingHttpHeaders;
  /** Without the question mark; empty when there is none. */
  query: string;
  correlationId?: string;
  rateLimitHeaders?: Record<string, string>;
  answeredPreflight = false;
  /** Reads the whole body once; later calls get the same. `undefined` when it is larger than asked for. */
  readBody: (bytesMax: number) => Promise<Buffer | undefined> = async () => Buffer.alloc(0);
  /** Set by the post-function when the body is to become problem+json. */
  problem = false;

  constructor(
    readonly method: string,
    /** Normalised: dots, double slashes and needless escapes are gone. */
    readonly path: string,
    query: string,
    headers: IncomingHttpHeaders,
    readonly clientAddress: string,
    readonly route: CompiledRoute | undefined,
    /** How the client came. */
    readonly scheme: 'http' | 'https' = 'http',
  ) {
    this.query = query;
    this.headers = { ...headers };
  }

  header(name: string): string | undefined {
    const value = this.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** All values of a query parameter; `true` stands for a parameter without a value. */
  queryValues(name: string): (string | true)[] {
    if (!this.query.includes(name) && !this.query.includes('%')) return [];
    return this.query.split('&').flatMap((pair) => {
      const cut = pair.indexOf('=');
      if (unescapeQuery(cut < 0 ? pair : pair.slice(0, cut)) !== name) return [];
      return [cut < 0 ? (true as const) : unescapeQuery(pair.slice(cut + 1))];
    });
  }

  removeQuery(name: string): void {
    const kept = this.query.split('&').filter((pair) => unescapeQuery(pair.split('=', 1)[0]!) !== name);
    this.query = kept.join('&');
  }
}

/** Broken escapes stay as they are, as in nginx. */
function unescapeQuery(text: string): string {
  if (!/[%+]/.test(text)) return text;
  const bytes = text
    .replace(/\+/g, ' ')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

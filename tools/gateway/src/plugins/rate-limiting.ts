import type { ConfigOf, Period } from '../config/plugin.schema';
import type { Exchange, Exit, ResponseHead } from '../exchange';
import type { Plugin } from './plugin';
import { periodSeconds, windowStartMs, type CounterStore } from './rate-window';

const periods = Object.keys(periodSeconds) as Period[];

/** Kong's rate-limiting: fixed windows of wall-clock time, one bucket per identifier and place of configuration. */
export class RateLimitingPlugin implements Plugin {
  readonly name = 'rate-limiting';
  private readonly limits: { period: Period; limit: number }[];

  /** `scope` names the route, service or gateway that the plugin was configured for. */
  constructor(
    private readonly config: ConfigOf<'rate-limiting'>,
    private readonly scope: string,
    private readonly store: CounterStore,
  ) {
    this.limits = periods.flatMap((period) => {
      const limit = config[period];
      return limit === undefined ? [] : [{ period, limit }];
    });
  }

  async access(exchange: Exchange): Promise<Exit | undefined> {
    const nowMs = Date.now();
    const identifier = this.identify(exchange);
    const buckets = this.limits.map(({ period, limit }) => ({
      period,
      limit,
      key: `ratelimit:${this.scope}:${identifier}:${windowStartMs(period, nowMs)}:${period}`,
    }));
    let used: number[];
    try {
      used = await this.store.take(buckets);
    } catch {
      if (this.config.fault_tolerant) return undefined;
      return { status: 500, body: { message: 'An unexpected error occurred' }, source: 'error' };
    }

    const full = buckets.filter(({ limit }, index) => used[index]! >= limit).map(({ period }) => period);
    const headers = this.describe(used, full.at(-1), nowMs);
    exchange.rateLimitHeaders = this.config.hide_client_headers ? {} : headers;
    if (full.length === 0) return undefined;
    const { error_code: status, error_message: message } = this.config;
    return { status, body: { message }, headers: { 'retry-after': headers['ratelimit-reset']! } };
  }

  headerFilter(exchange: Exchange, head: ResponseHead): void {
    Object.assign(head.headers, exchange.rateLimitHeaders);
  }

  private identify(exchange: Exchange): string {
    const { limit_by: by, header_name: name } = this.config;
    if (by === 'service') return exchange.route?.service?.name ?? exchange.clientAddress;
    if (by === 'header') return exchange.header(name!.toLowerCase()) || exchange.clientAddress;
    return exchange.clientAddress;
  }

  /** The tightest limit leads, of equal ones that of the longer window. */
  private describe(used: number[], stop: Period | undefined, nowMs: number): Record<string, string> {
    const headers: Record<string, string> = {};
    let tightest: { limit: number; remaining: number; period: Period } | undefined;
    this.limits.forEach(({ period, limit }, index) => {
      const counted = stop === undefined || stop === period ? 1 : 0;
      const remaining = Math.max(0, limit - used[index]! - counted);

      headers[`x-ratelimit-limit-${period}`] = String(limit);
      headers[`x-ratelimit-remaining-${period}`] = String(remaining);
      if (!tightest || remaining <= tightest.remaining) tightest = { limit, remaining, period };
    });
    const { limit, remaining, period } = tightest!;
    const elapsedSeconds = Math.floor((nowMs - windowStartMs(period, nowMs)) / 1000);
    headers['ratelimit-limit'] = String(limit);
    headers['ratelimit-remaining'] = String(remaining);
    headers['ratelimit-reset'] = String(Math.max(1, periodSeconds[period] - elapsedSeconds));
    return headers;
  }
}

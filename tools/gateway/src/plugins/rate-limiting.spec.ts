import { Exchange } from '../exchange';
import { RateLimitingPlugin } from './rate-limiting';
import { LocalCounters } from './rate-store';
import { windowStartMs, type Bucket, type CounterStore } from './rate-window';

/** Says that so much is used of each period. */
const usedStore = (used: Record<string, number>): CounterStore => ({
  take: (buckets: Bucket[]) => buckets.map(({ period }) => used[period] ?? 0),
});

async function headersFor(used: Record<string, number>) {
  const config = {
    second: 5,
    minute: 100,
    limit_by: 'ip' as const,
    policy: 'local' as const,
    fault_tolerant: true,
    hide_client_headers: false,
    error_code: 429,
    error_message: 'm',
    sync_rate: -1 as const,
  };
  const exchange = new Exchange('GET', '/', '', {}, '192.0.2.1', undefined);
  const exit = await new RateLimitingPlugin(config, 'route:r', usedStore(used)).access(exchange);
  return { exit, headers: exchange.rateLimitHeaders! };
}

describe('rate limiting', () => {
  it('leads with the tightest of several limits', async () => {
    const { exit, headers } = await headersFor({ second: 1, minute: 98 });
    expect(exit).toBeUndefined();
    expect(headers).toMatchObject({
      'ratelimit-limit': '100',
      'ratelimit-remaining': '1',
      'x-ratelimit-limit-second': '5',
      'x-ratelimit-remaining-second': '3',
      'x-ratelimit-remaining-minute': '1',
    });
  });

  it('stops at the first that is full, and takes nothing from the others', async () => {
    const { exit, headers } = await headersFor({ second: 5, minute: 50 });
    expect(exit).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect(headers).toMatchObject({
      'ratelimit-limit': '5',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '1',
      'x-ratelimit-remaining-minute': '50',
    });
  });

  it('counts in windows of the clock', () => {
    const now = Date.UTC(2026, 10, 24, 22, 5, 6, 789);
    expect(new Date(windowStartMs('second', now)).toISOString()).toBe('2026-11-24T22:05:06.000Z');
    expect(new Date(windowStartMs('minute', now)).toISOString()).toBe('2026-11-24T22:05:00.000Z');
    expect(new Date(windowStartMs('hour', now)).toISOString()).toBe('2026-11-24T22:00:00.000Z');
    expect(new Date(windowStartMs('day', now)).toISOString()).toBe('2026-11-24T00:00:00.000Z');
    expect(new Date(windowStartMs('month', now)).toISOString()).toBe('2026-11-01T00:00:00.000Z');
    expect(new Date(windowStartMs('year', now)).toISOString()).toBe('2026-01-01T00:00:00.000Z');
  });

  it('counts a refused request nowhere', () => {
    const store = new LocalCounters();
    const buckets: Bucket[] = [
      { period: 'second', key: 's', limit: 1 },
      { period: 'minute', key: 'm', limit: 9 },
    ];
    expect([1, 2, 3].map(() => store.take(buckets))).toEqual([
      [0, 0],
      [1, 1],
      [1, 1],
    ]);
  });
});

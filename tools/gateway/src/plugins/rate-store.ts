import { Redis } from 'ioredis';
import type { RedisConfig } from '../config/plugin.schema';
import { periodSeconds, type Bucket, type CounterStore } from './rate-window';

const BUCKETS_MAX = 100_000;

/** Counts in this process. Old windows fall out as new ones come. */
export class LocalCounters implements CounterStore {
  private readonly counts = new Map<string, number>();

  take(buckets: Bucket[]): number[] {
    const used = buckets.map(({ key }) => this.counts.get(key) ?? 0);
    if (buckets.some(({ limit }, index) => used[index]! >= limit)) return used;
    buckets.forEach(({ key }, index) => {
      this.counts.delete(key);
      this.counts.set(key, used[index]! + 1);
    });
    while (this.counts.size > BUCKETS_MAX) this.counts.delete(this.counts.keys().next().value!);
    return used;
  }
}

const takeScript = `
local used, full = {}, false
for i, key in ipairs(KEYS) do
  used[i] = tonumber(redis.call('GET', key) or '0')
  if used[i] >= tonumber(ARGV[i]) then full = true end
end
if not full then
  for i, key in ipairs(KEYS) do
    if redis.call('INCR', key) == 1 then redis.call('EXPIRE', key, ARGV[#KEYS + i]) end
  end
end
return used`;

interface TakingRedis extends Redis {
  takeBuckets(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<number[]>;
}

/** Counts in Redis, for several gateways together. Away from Redis it rejects at once instead of queueing. */
export class RedisCounters implements CounterStore {
  private readonly redis: TakingRedis;

  constructor(config: RedisConfig, trusted: Buffer | undefined, onError: (error: Error) => void) {
    const redis = new Redis({
      host: config.host,
      port: config.port,
      username: config.username ?? undefined,
      password: config.password ?? undefined,
      db: config.database,
      connectTimeout: config.timeout,
      commandTimeout: config.timeout,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      disconnectTimeout: 100,
      retryStrategy: (attempt) => Math.min(attempt * 100, 1000),
      tls: config.ssl
        ? { ca: trusted, rejectUnauthorized: config.ssl_verify, servername: config.server_name ?? undefined }
        : undefined,
    });
    redis.on('error', onError);
    redis.defineCommand('takeBuckets', { lua: takeScript });
    this.redis = redis as TakingRedis;
  }

  take(buckets: Bucket[]): Promise<number[]> {
    if (this.redis.status !== 'ready') return Promise.reject(new Error('Redis is not connected'));
    return this.redis.takeBuckets(
      buckets.length,
      ...buckets.map(({ key }) => key),
      ...buckets.map(({ limit }) => limit),
      ...buckets.map(({ period }) => periodSeconds[period]),
    );
  }

  /** Resolves when the connection stands, or when the first try to make it has failed. */
  async settled(): Promise<void> {
    if (this.redis.status === 'ready') return;
    await new Promise<void>((resolve) => {
      this.redis.once('ready', resolve);
      this.redis.once('close', resolve);
    });
  }

  close(): void {
    this.redis.disconnect();
  }
}

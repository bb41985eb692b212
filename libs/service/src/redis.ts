import { Redis, type RedisOptions } from 'ioredis';
import type { RedisConfig } from './config';
import { getLogger } from './logging';
import { clientTls } from './tls/client-tls';
import { tlsFailure } from './tls/failure';

const log = getLogger('Redis');

/**
 * A client that answers or fails within a second and never queues: without a connection every command rejects at once.
 * It reconnects by itself, for ever, with a growing and jittered wait (up to 2 s).
 */
export function createRedis(config: RedisConfig, options: RedisOptions = {}): Redis {
  const tls = clientTls('REDIS', config);
  const redis = new Redis(config.REDIS_URL, {
    ...(tls && { tls }),
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 1000,
    commandTimeout: 1000,
    keepAlive: 1000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2000) * (0.5 + Math.random() / 2),
    ...options,
  });
  let away: string | undefined;
  redis.on('error', (error: Error) => {
    const code = (error as NodeJS.ErrnoException).code ?? error.name;
    // One line for each outage and cause, not one for each attempt.
    if (away !== code) log.warn({ code, name: error.name, why: tlsFailure(error) }, 'Redis is away.');
    away = code;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back.');
    away = undefined;
  });
  return redis;
}

/** Closes politely where there is a connection, and at once where there is none. */
export async function closeRedis(redis: Redis): Promise<void> {
  try {
    if (redis.status === 'ready') await redis.quit();
  } catch {
    // The connection broke while we said goodbye, which is as good.
  }
  redis.disconnect();
}

import { createAdapter } from '@socket.io/redis-adapter';
import { closeRedis, createRedis, getLogger, type RedisConfig } from '@parley/service';
import type { Redis } from 'ioredis';
import type { Server } from 'socket.io';
import { metrics } from '../metrics';

const log = getLogger('Cluster');

/** More publications under way than that are dropped: what they carry is repaired from the log. */
const PUBLISHING_MAX = 1_000;

/**
 * The way to the other realtime nodes: Socket.IO's Redis adapter over two connections that never queue and whose
 * failures stay here. What is sent while Redis is away is lost, so nothing that is sent here may be needed.
 */
export class Cluster {
  /** Also for single commands, such as remembering a ticket. Rejects at once without a connection. */
  readonly redis: Redis;
  private readonly subscriber: Redis;
  private publishing = 0;
  private server?: Server;
  private readonly handlers = new Map<string, (body: unknown) => void>();

  constructor(private readonly config: RedisConfig) {
    this.redis = createRedis(config);
    this.subscriber = createRedis(config);
    this.swallowPublishFailures();
    this.subscribeOnEveryConnection();
  }

  /** Whether what other nodes send can be heard at present. */
  get isConnected(): boolean {
    return this.redis.status === 'ready' && this.subscriber.status === 'ready';
  }

  attach(server: Server): void {
    this.server = server;
    // Channels belong to a whole Redis, numbered databases or not: two deployments must not hear each other.
    const key = `parley:${new URL(this.config.REDIS_URL).pathname.slice(1) || '0'}`;
    server.adapter(createAdapter(this.redis, this.subscriber, { key }));
    for (const [event, handler] of this.handlers) server.on(event, handler);
  }

  /** What other nodes say under this name; never this one's own. Called before the server exists or after. */
  on(event: string, handler: (body: unknown) => void): void {
    this.handlers.set(event, handler);
    this.server?.on(event, handler);
  }

  /** Tells all other nodes, without waiting. */
  send(event: string, body: unknown): void {
    if (!this.isConnected) metrics.dropped.inc({ reason: 'redis' });
    else this.server?.serverSideEmit(event, body);
  }

  async close(): Promise<void> {
    await Promise.all([closeRedis(this.redis), closeRedis(this.subscriber)]);
  }

  /** The adapter ignores what becomes of its publications; an unhandled rejection would end the process. */
  private swallowPublishFailures(): void {
    const publish = this.redis.publish.bind(this.redis);
    this.redis.publish = async (channel: string | Buffer, message: string | Buffer) => {
      if (this.publishing >= PUBLISHING_MAX) {
        metrics.dropped.inc({ reason: 'redis' });
        return 0;
      }
      this.publishing += 1;
      try {
        return await publish(channel, message);
      } catch {
        metrics.dropped.inc({ reason: 'redis' });
        return 0;
      } finally {
        this.publishing -= 1;
      }
    };
  }

  /** The adapter subscribes once, when it is made; Redis may not be there then. */
  private subscribeOnEveryConnection(): void {
    const { subscriber } = this;
    const channels = new Set<string>();
    const patterns = new Set<string>();
    const subscribe = subscriber.subscribe.bind(subscriber) as (...names: string[]) => Promise<unknown>;
    const psubscribe = subscriber.psubscribe.bind(subscriber) as (...names: string[]) => Promise<unknown>;
    const again = async () => {
      try {
        if (channels.size > 0) await subscribe(...channels);
        if (patterns.size > 0) await psubscribe(...patterns);
      } catch (error) {
        log.warn({ err: error }, 'The other nodes cannot be heard.');
        subscriber.disconnect(true);
      }
    };
    const remember = (known: Set<string>) => async (names: string | string[]) => {
      for (const name of [names].flat()) known.add(name);
      if (subscriber.status === 'ready') await again();
    };
    subscriber.subscribe = remember(channels) as typeof subscriber.subscribe;
    subscriber.psubscribe = remember(patterns) as typeof subscriber.psubscribe;
    subscriber.on('ready', () => void again());
  }
}

import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueueSpec } from '@parley/contracts';
import { exchanges, unavailable } from '@parley/contracts';
import type { Channel, ChannelModel, ConfirmChannel, ConsumeMessage, Options } from 'amqplib';
import { connect } from 'amqplib';
import { EnvelopeReader } from './envelope';
import type { BrokerOptions, Logger } from './options';
import { isMessage } from './size';

type QueueArguments = Record<string, unknown>;

/** Declares queues and consumers on a connection; run again on every reconnection. */
export type Setup = (connection: ChannelModel) => Promise<void>;

const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 2000;
const CONNECT_TIMEOUT_MS = 3000;
const HEARTBEAT_S = 5;
/** A queue that is away is asked for this often. */
const QUEUE_AWAY_MS = 1000;
/** What may wait in memory while the broker takes nothing (memory alarm, frozen): beyond it messages are dropped. */
const CONGESTED_BYTES_MAX = 32_000_000;

/**
 * One connection to RabbitMQ that comes back by itself. Emits `connected` after every setup has run and `disconnected`
 * when the connection is lost. Publishing while disconnected drops the message: everything sent here is either retried
 * by its asker or refilled from the log.
 */
export class Broker extends EventEmitter {
  connected = false;
  readonly envelopes: EnvelopeReader;
  private connection?: ChannelModel;
  private publisher?: Channel;
  private confirmer?: ConfirmChannel;
  private readonly setups: Setup[] = [];
  /** Queues of the present connection whose consumer RabbitMQ has ended. */
  private readonly away = new Map<QueueSpec, QueueArguments | undefined>();
  private stopping = false;
  private attempt = 0;
  /** Bytes published since the broker's socket was last seen full; 0 while it is not. */
  private congestedBytes = 0;
  private loop?: Promise<void>;
  private wake?: () => void;

  constructor(readonly options: BrokerOptions) {
    super();
    this.envelopes = new EnvelopeReader(options);
    this.setMaxListeners(50);
  }

  /** Registers a setup; it runs at once when connected, and on every reconnection. */
  async onConnection(setup: Setup): Promise<void> {
    this.setups.push(setup);
    const { connection } = this;
    if (!this.connected || !connection) return;
    try {
      await setup(connection);
    } catch (error) {
      // The connection ended meanwhile, or is no good: the next one runs this setup too.
      this.options.logger.warn({ err: error }, 'broker: cannot set up');
      await connection.close().catch(() => undefined);
    }
  }

  /** Starts connecting in the background. Resolves at once: a service starts without its broker and says so. */
  start(): void {
    this.loop ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake?.();
    const connection = this.connection;
    if (connection) await connection.close().catch(() => undefined);
    await this.loop;
  }

  /** Resolves once connected; for start-up code that cannot go on without. */
  async whenConnected(): Promise<void> {
    if (this.connected) return;
    await new Promise<void>((resolve) => this.once('connected', resolve));
  }

  /**
   * Publishes without waiting. False when the message was dropped: the broker is away, takes nothing for too long, or would end the
   * connection at a message of this size.
   */
  publish(exchange: string, key: string, body: string, options: Options.Publish = {}): boolean {
    if (!this.publisher || this.congestedBytes > CONGESTED_BYTES_MAX) return false;
    if (!isMessage(body)) {
      const details = { exchange, key, characters: body.length };
      this.options.logger.error(details, 'broker: a message is too large, and was dropped');
      this.options.onTooLarge?.();
      return false;
    }
    try {
      const isFlowing = this.publisher.publish(exchange, key, Buffer.from(body), options);
      if (!isFlowing) this.congestedBytes += body.length;
      return true;
    } catch {
      return false; // The channel closed under our hands; the close handler reconnects.
    }
  }

  /**
   * Publishes persistently and resolves when the broker has taken it to heart; rejects with `unavailable`.
   *
   * @param traceparent the trace of the work that caused it, where that is not the work under way
   */
  async publishConfirmed(
    exchange: string,
    key: string,
    body: unknown,
    traceparent: string | undefined = this.options.trace?.current(),
  ): Promise<void> {
    const channel = this.confirmer;
    if (!channel) throw unavailable('The broker is away.');
    await new Promise<void>((resolve, reject) => {
      const content = Buffer.from(JSON.stringify(body));
      const onClose = () => reject(unavailable('The broker went away.'));
      channel.once('close', onClose);
      const headers = traceparent === undefined ? {} : { traceparent };
      channel.publish(exchange, key, content, { persistent: true, headers }, (error: unknown) => {
        channel.off('close', onClose);
        if (error) reject(unavailable('The broker refused a message.'));
        else resolve();
      });
    });
  }

  /**
   * Consumes a queue that was declared on this channel. RabbitMQ ends a consumer, and leaves its connection alone, when the queue
   * goes: somebody deleted it, or it lies on a node of a cluster that has ended. Nothing would ever come from it again, so as soon as
   * the queue can be had the connection is made anew, and with it all that is set up on it.
   *
   * @param options.declared what its declaration says besides
   * @returns the consumer's tag
   */
  async consume(
    connection: ChannelModel,
    channel: Channel,
    queue: QueueSpec,
    onMessage: (message: ConsumeMessage) => void,
    options: { noAck: boolean; declared?: QueueArguments },
  ): Promise<string> {
    const { consumerTag } = await channel.consume(
      queue.name,
      (message) => {
        if (message) onMessage(message);
        else this.missQueue(connection, queue, options.declared);
      },
      { noAck: options.noAck },
    );
    return consumerTag;
  }

  private missQueue(connection: ChannelModel, queue: QueueSpec, declared: QueueArguments | undefined): void {
    if (connection !== this.connection) return;
    this.options.logger.warn({ queue: queue.name }, 'broker: a queue has gone, and its consumer with it');
    this.away.set(queue, declared);
    if (this.away.size === 1) void this.renewOnceAllAreThere(connection);
  }

  private async renewOnceAllAreThere(connection: ChannelModel): Promise<void> {
    while (connection === this.connection) {
      try {
        const channel = await connection.createChannel();
        // Refused while a queue is away; the rejection says so.
        channel.on('error', () => undefined);
        for (const [queue, declared] of this.away) await assertQueue(channel, queue, declared);
        return await connection.close();
      } catch {
        await delay(QUEUE_AWAY_MS, undefined, { ref: false });
      }
    }
  }

  /** Calls back with every command that no queue took. */
  onReturn(callback: (queue: string, content: Buffer) => void): void {
    this.on('return', callback);
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.connectOnce();
      } catch (error) {
        const { logger, explain } = this.options;
        const details = { err: error, why: explain?.(error), attempt: this.attempt };
        logger.warn(details, 'broker: cannot connect');
      }
      if (this.stopping) return;
      const boundMs = Math.min(RECONNECT_MS_MAX, RECONNECT_MS_MIN * 2 ** Math.min(this.attempt, 5));
      this.attempt += 1;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, boundMs * (0.5 + Math.random() / 2));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Connects, sets everything up, and returns when the connection has ended. */
  private async connectOnce(): Promise<void> {
    const url = new URL(this.options.url);
    url.searchParams.set('heartbeat', String(HEARTBEAT_S));
    const connection = await connect(url.toString(), {
      ...this.options.tls,
      noDelay: true,
      timeout: CONNECT_TIMEOUT_MS,
      clientProperties: { connection_name: `${this.options.service}.${this.options.instanceId}` },
    });
    // Asked to stop while the connection was being made: there was nothing to close then, so it is closed now.
    if (this.stopping) return void (await connection.close().catch(() => undefined));
    const closed = new Promise<void>((resolve) => connection.once('close', () => resolve()));
    connection.on('error', (error: Error) => {
      this.options.logger.warn({ err: error }, 'broker: connection error');
    });
    try {
      this.connection = connection;
      this.away.clear();
      await this.setUp(connection);
      this.connected = true;
      this.attempt = 0;
      this.options.logger.info({}, 'broker: connected');
      this.emit('connected');
      await closed;
    } finally {
      const was = this.connected;
      this.connected = false;
      this.connection = undefined;
      this.publisher = undefined;
      this.confirmer = undefined;
      if (was) this.emit('disconnected');
      await connection.close().catch(() => undefined);
    }
  }

  private async setUp(connection: ChannelModel): Promise<void> {
    const publisher = await connection.createChannel();
    const confirmer = await connection.createConfirmChannel();
    // Every unconfirmed message listens for the channel's end.
    confirmer.setMaxListeners(0);
    // A channel that dies takes its consumers with it, so the whole connection is made anew.
    closeTogether(connection, publisher, this.options.logger);
    closeTogether(connection, confirmer, this.options.logger);
    for (const { name, type } of Object.values(exchanges)) {
      await publisher.assertExchange(name, type, { durable: true });
    }
    this.congestedBytes = 0;
    publisher.on('drain', () => (this.congestedBytes = 0));
    publisher.on('return', (message: { fields: { routingKey: string }; content: Buffer }) => {
      this.emit('return', message.fields.routingKey, message.content);
    });
    this.publisher = publisher;
    this.confirmer = confirmer;
    for (const setup of this.setups) await setup(connection);
  }
}

/** Ends the connection when one of its channels ends with an error: half a connection is worse than none. */
export function closeTogether(connection: ChannelModel, channel: Channel, logger: Logger): void {
  channel.on('error', (error: Error) => {
    logger.warn({ err: error }, 'broker: channel error');
    connection.close().catch(() => undefined);
  });
}

/** Declares a queue as the topology has it. */
export async function assertQueue(
  channel: Channel,
  spec: QueueSpec,
  extra: QueueArguments = {},
): Promise<void> {
  await channel.assertQueue(spec.name, {
    durable: spec.durable,
    exclusive: spec.exclusive,
    autoDelete: false,
    arguments: {
      'x-max-length': spec.lengthMax,
      'x-overflow': 'drop-head',
      ...(spec.bytesMax !== undefined && { 'x-max-length-bytes': spec.bytesMax }),
      ...(spec.ttlMs !== undefined && { 'x-message-ttl': spec.ttlMs }),
      ...(spec.expiresMs !== undefined && { 'x-expires': spec.expiresMs }),
      ...extra,
    },
  });
}

import { setTimeout as delay } from 'node:timers/promises';
import type { QueueSpec } from '@parley/contracts';
import { exchanges } from '@parley/contracts';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';
import type { Refusal } from './options';

/** A queue of events bound to an exchange; each message goes to the @EventPattern of the exchange's name. */
export interface Subscription {
  exchange: Exclude<keyof typeof exchanges, 'control' | 'events'>;
  queue: QueueSpec;
  /** Routing keys; `#` for all of a topic exchange. */
  keys: string[];
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5000;

/**
 * One queue of events. Messages of a durable queue are handled one after the other and acknowledged once handled; a
 * failing one is tried again in place, so that nothing overtakes it. An exclusive queue is a live copy without acks.
 */
export class EventSubscription {
  constructor(
    private readonly broker: Broker,
    private readonly subscription: Subscription,
    private readonly handle: (body: unknown, traceparent: string | undefined) => Promise<unknown>,
  ) {}

  async setUp(connection: ChannelModel): Promise<void> {
    const { queue, exchange, keys } = this.subscription;
    const channel = await connection.createChannel();
    closeTogether(connection, channel, this.broker.options.logger);
    let isOpen = true;
    channel.once('close', () => (isOpen = false));
    await assertQueue(channel, queue);
    for (const key of keys) await channel.bindQueue(queue.name, exchanges[exchange].name, key);
    if (!queue.exclusive) await channel.prefetch(1);
    await this.broker.consume(
      connection,
      channel,
      queue,
      (message) => void this.take(channel, message, () => isOpen),
      { noAck: queue.exclusive },
    );
  }

  private async take(channel: Channel, message: ConsumeMessage, isOpen: () => boolean): Promise<void> {
    const { logger } = this.broker.options;
    const { queue, exchange } = this.subscription;
    const { body, refusal } = this.broker.envelopes.open(exchange, message.content);
    if (refusal) return this.refuse(channel, message, refusal, isOpen);
    for (let waitMs = RETRY_MS_MIN; isOpen(); waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      try {
        await this.handle(body, traceparentOf(message));
        if (!queue.exclusive && isOpen()) channel.ack(message);
        return;
      } catch (error) {
        logger.warn({ queue: queue.name, err: error }, 'broker: an event failed');
        if (queue.exclusive) return;
        await delay(waitMs);
      }
    }
  }

  /** What is too new waits in a durable queue for an instance that reads it; trying again would mend nothing else. */
  private async refuse(
    channel: Channel,
    message: ConsumeMessage,
    refusal: Refusal,
    isOpen: () => boolean,
  ): Promise<void> {
    if (this.subscription.queue.exclusive) return;
    if (refusal !== 'tooNew') return channel.ack(message);
    await delay(RETRY_MS_MAX, undefined, { ref: false });
    if (isOpen()) channel.nack(message, false, true);
  }
}

function traceparentOf({ properties }: ConsumeMessage): string | undefined {
  const value: unknown = properties.headers?.['traceparent'];
  return typeof value === 'string' ? value : undefined;
}

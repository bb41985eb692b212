import { setTimeout as delay } from 'node:timers/promises';
import type { QueueSpec } from '@parley/contracts';
import { exchanges } from '@parley/contracts';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';

/** A queue of events bound to an exchange; each message goes to the @EventPattern of the exchange's name. */
export interface Subscription {
  exchange: keyof typeof exchanges;
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
    private readonly handle: (body: unknown) => Promise<unknown>,
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
    await channel.consume(
      queue.name,
      (message) => {
        if (message) void this.take(channel, message, () => isOpen);
      },
      { noAck: queue.exclusive },
    );
  }

  private async take(channel: Channel, message: ConsumeMessage, isOpen: () => boolean): Promise<void> {
    const { logger } = this.broker.options;
    const { queue } = this.subscription;
    let body: unknown;
    try {
      body = JSON.parse(message.content.toString());
    } catch {
      // Nothing here writes such a message, and trying again would not mend it.
      logger.error({ queue: queue.name }, 'broker: a message is not JSON and was dropped');
      if (!queue.exclusive) channel.ack(message);
      return;
    }
    for (let waitMs = RETRY_MS_MIN; isOpen(); waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      try {
        await this.handle(body);
        if (!queue.exclusive && isOpen()) channel.ack(message);
        return;
      } catch (error) {
        logger.warn({ queue: queue.name, error: String(error) }, 'broker: an event failed');
        if (queue.exclusive) return;
        await delay(waitMs);
      }
    }
  }
}

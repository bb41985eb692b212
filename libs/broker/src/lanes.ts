import type { EventEnvelope, QueueSpec } from '@parley/contracts';
import { exchanges, LANES } from '@parley/contracts';
import type { Channel, ChannelModel } from 'amqplib';
import type { Broker } from './broker';
import { assertQueue, closeTogether } from './broker';
import type { Membership } from './membership';
import { assign } from './rendezvous';

export interface LaneConsumerOptions {
  broker: Broker;
  membership: Membership;
  queue(lane: number): QueueSpec;
  /** Called before the first envelope of a lane is delivered to this instance. A rejection is tried again. */
  onTake(lane: number): Promise<void>;
  onDrop(lane: number): void;
  /**
   * `ack` says that this instance has dealt with the envelope. One of a lane that it gave away meanwhile goes to whoever
   * took the lane, for what was dropped with the lane is not dealt with.
   */
  onEnvelope(envelope: EventEnvelope, ack: () => void): void;
  /** For those who keep no state: the broker forgets an envelope as it sends it, and `ack` does nothing. */
  noAck?: boolean;
}

/** What the declaration of a lane's queue says besides. */
const DECLARED = { 'x-single-active-consumer': true };

interface Hold {
  consumerTag: string;
  isGivenAway: boolean;
}

const PREFETCH = 400;
const RETAKE_MS = 500;

/**
 * Takes the event lanes for which this instance ranks first among the instances of its service. Of two that take the
 * same lane for a moment only one is served, for the queues have a single active consumer.
 */
export class LaneConsumer {
  /** With the connection that it is of. */
  private open?: { connection: ChannelModel; channel: Channel };
  private readonly taken = new Map<number, Hold>();
  private work: Promise<void> = Promise.resolve();
  private stopped = false;
  private unsubscribe?: () => void;

  constructor(private readonly options: LaneConsumerOptions) {}

  start(): void {
    const { broker, membership } = this.options;
    void broker.onConnection((connection) => this.setUp(connection));
    broker.on('disconnected', () => {
      this.open = undefined;
      for (const lane of this.taken.keys()) this.options.onDrop(lane);
      this.taken.clear();
    });
    this.unsubscribe = membership.onChange(broker.options.service, () => this.rebalance());
  }

  /** Stops taking envelopes; those delivered already may still be acknowledged. */
  async stop(): Promise<void> {
    this.unsubscribe?.();
    this.stopped = true;
    this.rebalance();
    await this.work;
  }

  lanes(): number[] {
    return [...this.taken.keys()];
  }

  /** Drops and takes every lane anew, so that `onTake` reads its positions again. */
  retake(): void {
    this.enqueue(async () => {
      for (const lane of [...this.taken.keys()]) await this.drop(lane);
    });
    this.rebalance();
  }

  private async setUp(connection: ChannelModel): Promise<void> {
    const channel = await connection.createChannel();
    closeTogether(connection, channel, this.options.broker.options.logger);
    await channel.prefetch(PREFETCH, true);
    // All lanes exist from the first instance on: a lane that nobody takes yet collects its backlog.
    for (let lane = 0; lane < LANES; lane++) {
      const queue = this.options.queue(lane);
      await assertQueue(channel, queue, DECLARED);
      await channel.bindQueue(queue.name, exchanges.events.name, `lane.${lane}`);
    }
    this.open = { connection, channel };
    this.rebalance();
  }

  private rebalance(): void {
    this.enqueue(async () => {
      const { broker, membership } = this.options;
      const { service, instanceId } = broker.options;
      const owners = this.stopped ? [] : assign(LANES, membership.instances(service));
      for (const lane of [...this.taken.keys()]) if (owners[lane] !== instanceId) await this.drop(lane);
      for (let lane = 0; lane < LANES; lane++) {
        if (owners[lane] === instanceId && !this.taken.has(lane)) await this.take(lane);
      }
    });
  }

  private enqueue(step: () => Promise<void>): void {
    this.work = this.work.then(step).catch((error: unknown) => {
      this.options.broker.options.logger.warn({ err: error }, 'lanes: cannot rebalance, trying again');
      if (!this.stopped) setTimeout(() => this.rebalance(), RETAKE_MS).unref();
    });
  }

  private async take(lane: number): Promise<void> {
    const { open } = this;
    if (!open) return;
    const { connection, channel } = open;
    await this.options.onTake(lane);
    // The connection ended meanwhile: with the next one the lane may be somebody else's.
    if (open !== this.open) return this.options.onDrop(lane);
    const noAck = this.options.noAck ?? false;
    const hold: Hold = { consumerTag: '', isGivenAway: false };
    hold.consumerTag = await this.options.broker.consume(
      connection,
      channel,
      this.options.queue(lane),
      (message) => {
        const ack = () => {
          if (noAck || open !== this.open) return;
          try {
            if (hold.isGivenAway) channel.nack(message, false, true);
            else channel.ack(message);
          } catch {
            // The channel has ended, and its connection is about to: the broker gives the envelope to the next one.
          }
        };
        const envelope = this.options.broker.envelopes.read<EventEnvelope>('events', message.content);
        // A refused one counts as lost: the log has its rows, and heads tell of them.
        if (envelope) this.options.onEnvelope(envelope, ack);
        else ack();
      },
      { noAck, declared: DECLARED },
    );
    this.taken.set(lane, hold);
  }

  private async drop(lane: number): Promise<void> {
    const hold = this.taken.get(lane);
    this.taken.delete(lane);
    if (hold) {
      hold.isGivenAway = true;
      await this.open?.channel.cancel(hold.consumerTag);
    }
    this.options.onDrop(lane);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { EventEnvelope, HeadsEnvelope, PartitionRows } from '@parley/contracts';
import { controlKeys, PARTITIONS, partitionsOfLane, queues } from '@parley/contracts';
import type { Broker } from './broker';
import type { ControlInbox } from './control';
import { FeedRepair, RowsDoNotFollow } from './feed.repair';
import { LaneConsumer } from './lanes';
import type { Membership } from './membership';
import type { Requester } from './requester';
import { RowSequencer } from './sequencer';
import { RowTraces, type TracesOfRows } from './traces';

/** What a service that keeps state from the log implements. */
export interface FeedHandler {
  /**
   * The applied position of each of these partitions, from where it is stored with the state; 0 when there is none.
   * A store that holds another epoch drops its state and answers 0, whereupon everything is replayed.
   */
  load(partitions: number[], epoch: string): Promise<Map<number, number>>;
  /** The stored positions of those of the partitions that are stored under the epoch of the latest `load`. */
  positions(partitions: number[]): Promise<Map<number, number>>;
  /**
   * Stores what the rows say and the new position of each partition in one durable write.
   *
   * @param traces of the sampled rows in it, for what they cause
   * @throws RowsDoNotFollow when rows are missing before these: the store has lost some, and gets them again
   */
  apply(batch: PartitionRows[], traces?: TracesOfRows): Promise<void>;
}

export interface LaneFeedOptions {
  broker: Broker;
  control: ControlInbox;
  requester: Requester;
  membership: Membership;
  handler: FeedHandler;
  onGap?(partition: number, rows: number): void;
  /** The store had lost so many rows, and has them again. */
  onRepaired?(rows: number): void;
}

/** A batch costs much the same whether it holds one row or ten, so they start no closer together than this. */
const BATCH_EVERY_MS = 20;
/** How often the stored positions are compared with those that the feed remembers. */
const CHECK_EVERY_MS = 5000;

const ASK_AGAIN_MS = 500;
/** A log is mended by people: a hole is looked at this often. */
const LOOK_AGAIN_MS = 5000;

/**
 * Feeds a service from the log: takes its share of the lanes, puts rows into order, fetches what is missing, and
 * acknowledges an envelope once its rows are stored. Ordering and repair are RowSequencer's, sharing is LaneConsumer's.
 */
export class LaneFeed {
  private epoch?: string;
  private learning?: Promise<string>;
  private readonly sequencer: RowSequencer;
  private readonly consumer: LaneConsumer;
  private readonly traces = new RowTraces();
  /** Partitions that are stopped until an operator has looked, and why: the log does not go on from what is stored of them. */
  private readonly halted = new Map<number, string>();
  private readonly repair: FeedRepair;
  private batchStartedAt = -Infinity;
  private checking?: NodeJS.Timeout;
  private isChecking = false;
  private stopped = false;

  constructor(private readonly options: LaneFeedOptions) {
    const { broker, membership, control, handler } = options;
    this.repair = new FeedRepair({
      positions: (partitions) => handler.positions(partitions),
      replay: (partition, after, limit) => this.replay(partition, after, limit),
      apply: (batch) => handler.apply(batch),
      onRepaired: options.onRepaired,
      logger: broker.options.logger,
    });
    this.sequencer = new RowSequencer({
      replay: (partition, after, limit) => this.replay(partition, after, limit),
      apply: (batch) => this.apply(batch),
      onGap: options.onGap,
      onHole: (partition, after, next) => this.haltAtHole(partition, after, next),
      logger: broker.options.logger,
    });
    this.consumer = new LaneConsumer({
      broker,
      membership,
      queue: (lane) => queues.lane(broker.options.service, lane),
      onTake: (lane) => this.take(lane),
      onDrop: (lane) => {
        for (const partition of partitionsOfLane(lane)) {
          this.sequencer.unfollow(partition);
          this.halted.delete(partition);
        }
      },
      onEnvelope: (envelope, ack) => this.receive(envelope, ack),
    });
    control.on(controlKeys.heads, (body) => this.hearHeads(body as HeadsEnvelope));
  }

  start(): void {
    this.consumer.start();
    this.checking = setInterval(() => void this.check(), CHECK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.checking);
    await this.consumer.stop();
    // Not until everything is applied: with its database dead that would never be. The log has the rest.
    await this.sequencer.stop();
  }

  /** The applied position of a partition that this instance feeds. */
  position(partition: number): number | undefined {
    return this.sequencer.position(partition);
  }

  lag(): number {
    return this.sequencer.lag();
  }

  lanes(): number[] {
    return this.consumer.lanes();
  }

  /** The epoch in force, once known. */
  currentEpoch(): string | undefined {
    return this.epoch;
  }

  /** Partitions of this instance that are stopped; their rows do not count in `lag`. */
  stoppedPartitions(): number {
    return this.halted.size;
  }

  /** Why this instance does not do its part; undefined when it does. */
  trouble(): string | undefined {
    if (this.epoch === undefined) return 'the epoch is not known yet';
    if (this.halted.size > 0)
      return [...this.halted]
        .map(([partition, why]) => `partition ${partition} is stopped: ${why}`)
        .join('; ');
    return this.options.broker.envelopes.trouble();
  }

  private async take(lane: number): Promise<void> {
    const partitions = partitionsOfLane(lane);
    const epoch = await this.learnEpoch();
    const stored = await this.options.handler.load(partitions, epoch);
    for (const partition of partitions) {
      const position = stored.get(partition) ?? 0;
      const { head } = await this.replay(partition, position, 0);
      if (position > head) {
        this.halt(partition, `what is stored, ${position}, is ahead of the log, ${head}`);
        continue;
      }
      this.halted.delete(partition);
      this.sequencer.follow(partition, position);
      if (position < head) this.sequencer.catchUp(partition);
    }
  }

  private halt(partition: number, why: string): void {
    this.halted.set(partition, why);
    this.options.broker.options.logger.error({ partition, why }, 'feed: a partition is stopped');
  }

  /** Its rows stay in the log, and it goes on from there once the missing one is back. */
  private haltAtHole(partition: number, after: number, next: number): void {
    const why = `after ${after} the log has ${next}`;
    this.halt(partition, why);
    const look = setTimeout(() => {
      // Given away, stopped for another reason, or in another epoch meanwhile.
      if (this.stopped || this.halted.get(partition) !== why) return;
      this.sequencer.follow(partition, after);
      this.sequencer.catchUp(partition);
    }, LOOK_AGAIN_MS);
    look.unref();
  }

  private async apply(batch: PartitionRows[]): Promise<void> {
    // What arrives during the wait goes into the next batch.
    const waitMs = this.batchStartedAt + BATCH_EVERY_MS - performance.now();
    if (waitMs > 0) await delay(waitMs);
    this.batchStartedAt = performance.now();
    try {
      await this.hand(batch);
    } catch (error) {
      // It is applied again after that.
      if (error instanceof RowsDoNotFollow) await this.repair.repair(positionsBefore(batch));
      throw error;
    }
    for (const { partition } of batch) this.halted.delete(partition);
  }

  private async hand(batch: PartitionRows[]): Promise<void> {
    const { broker, handler } = this.options;
    const { trace, service } = broker.options;
    const traces = trace && this.traces.of(batch);
    if (!traces) return handler.apply(batch);
    await trace.batch(`${service} apply`, traces.values(), () => handler.apply(batch, traces));
    this.traces.forget(batch);
  }

  /** Gives the store again what it has lost of what it acknowledged. Resolves also when that is not possible now. */
  private async check(): Promise<void> {
    const positions = new Map<number, number>();
    for (const partition of this.lanes().flatMap(partitionsOfLane)) {
      const position = this.position(partition);
      if (position !== undefined) positions.set(partition, position);
    }
    if (positions.size === 0 || this.isChecking) return;
    this.isChecking = true;
    await this.repair.repair(positions).catch((error: unknown) => {
      const { logger } = this.options.broker.options;
      logger.warn({ err: error }, 'feed: the stored positions cannot be checked now');
    });
    this.isChecking = false;
  }

  private receive(envelope: EventEnvelope, ack: () => void): void {
    if (envelope.epoch === this.epoch) {
      this.traces.keep(envelope);
      this.sequencer.offer(envelope.partitions, ack);
      return;
    }
    ack();
    void this.relearnEpoch();
  }

  private hearHeads({ epoch, heads }: HeadsEnvelope): void {
    if (this.epoch === undefined) return;
    if (epoch !== this.epoch) {
      void this.relearnEpoch();
      return;
    }
    for (const [partition, head] of Object.entries(heads)) this.sequencer.announce(Number(partition), head);
  }

  private async replay(partition: number, after: number, limit: number) {
    const page = await this.options.requester.query('messaging.replay', { partition, after, limit });
    if (page.epoch !== this.epoch) {
      void this.relearnEpoch();
      throw new Error('the log has another epoch');
    }
    return page;
  }

  /** An envelope told of another epoch: only messaging's own word counts. A new one means to begin afresh. */
  private async relearnEpoch(): Promise<void> {
    const before = this.epoch;
    if (this.learning || before === undefined) return;
    this.epoch = undefined;
    // Nobody answers any more when this is stopped.
    const now = await this.learnEpoch().catch(() => undefined);
    if (now === undefined || now === before) return;
    // Rows of the former history must not be taken for rows of this one.
    this.sequencer.reset();
    this.consumer.retake();
  }

  private learnEpoch(): Promise<string> {
    if (this.epoch !== undefined) return Promise.resolve(this.epoch);
    this.learning ??= this.askEpoch().finally(() => (this.learning = undefined));
    return this.learning;
  }

  private async askEpoch(): Promise<string> {
    for (;;) {
      try {
        const { epoch, partitions } = await this.options.requester.query('messaging.epoch', {});
        if (partitions !== PARTITIONS) {
          throw new Error(`messaging has ${partitions} partitions, this service ${PARTITIONS}`);
        }
        this.epoch = epoch;
        return epoch;
      } catch (error) {
        if (this.stopped) throw error;
        this.options.broker.options.logger.warn({ err: error }, 'feed: cannot learn the epoch');
        await delay(ASK_AGAIN_MS);
      }
    }
  }
}

function positionsBefore(batch: PartitionRows[]): Map<number, number> {
  return new Map(batch.map(({ partition, rows }) => [partition, (rows[0]?.position ?? 1) - 1]));
}

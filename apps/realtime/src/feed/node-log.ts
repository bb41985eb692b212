import { setTimeout as delay } from 'node:timers/promises';
import { RowSequencer, RowTraces, type Requester, type TracesOfRows } from '@parley/broker';
import { PARTITIONS, type EventEnvelope, type HeadsEnvelope, type LogEvent } from '@parley/contracts';
import { getLogger } from '@parley/service';
import { metrics } from '../metrics';

export interface LogListener {
  /** Rows in dense and rising position, each once; `traces` of those that are sampled. */
  apply(partition: number, rows: LogEvent[], traces?: TracesOfRows): void;
  /** A partition missed so much that it went on from the head: the sockets have to be brought up to date otherwise. */
  onJump(partition: number): void;
  /** The deployment holds another history now: nothing that sockets know is true any more. */
  onNewEpoch(): void;
}

const log = getLogger('NodeLog');

/** More missing rows than that are not replayed: reading the memberships anew costs less. */
const REPLAY_ROWS_MAX = 2_000;
/** A row that a head announces may be on its way: it is fetched when it has not come by then. */
const HEAD_PATIENCE_MS = 300;
const ASK_AGAIN_MS = 500;

/**
 * How far this node has come in each partition. Rows arrive from the broker, from other nodes and from the log, early,
 * late, twice or not at all; they are applied once and in order. Each partition has its own order, so that one that waits
 * for a missing row holds up no other.
 */
export class NodeLog {
  private readonly sequencers: RowSequencer[];
  private readonly traces = new RowTraces();
  private listener?: LogListener;
  private currentEpoch?: string;
  private asking?: Promise<void>;
  private stopped = false;

  constructor(private readonly requester: Requester) {
    this.sequencers = Array.from({ length: PARTITIONS }, () => this.sequencer());
  }

  /** Begins at the present heads; asks until messaging answers. */
  async start(listener: LogListener): Promise<void> {
    this.listener = listener;
    await this.begin();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.sequencers.map((sequencer) => sequencer.stop()));
  }

  /** Undefined until messaging has answered for the first time. */
  get epoch(): string | undefined {
    return this.currentEpoch;
  }

  /** The applied position of every partition. */
  positions(): number[] {
    return this.sequencers.map((sequencer, partition) => sequencer.position(partition) ?? 0);
  }

  lags(): [partition: number, rows: number][] {
    return this.sequencers.map((sequencer, partition) => [partition, sequencer.lag()]);
  }

  /** Rows from the broker or another node, in any order. */
  offer(envelope: EventEnvelope, fromMessaging: boolean): void {
    if (envelope.epoch !== this.currentEpoch) {
      metrics.dropped.inc({ reason: 'epoch' });
      if (fromMessaging) this.doubtEpoch();
      return;
    }
    this.traces.keep(envelope);
    for (const rows of envelope.partitions) this.sequencers[rows.partition]?.offer([rows]);
  }

  /** The last positions of some partitions, as their owners announce them. */
  hear({ epoch, heads }: HeadsEnvelope): void {
    if (epoch !== this.currentEpoch) {
      this.doubtEpoch();
      return;
    }
    const ahead: [partition: number, head: number][] = [];
    for (const [key, head] of Object.entries(heads)) {
      const partition = Number(key);
      this.sequencers[partition]?.announce(partition, head);
      if (head > this.position(partition)) ahead.push([partition, head]);
    }
    if (ahead.length > 0) setTimeout(() => this.fetchMissing(ahead), HEAD_PATIENCE_MS).unref();
  }

  private position(partition: number): number {
    return this.sequencers[partition]?.position(partition) ?? Infinity;
  }

  private fetchMissing(ahead: [partition: number, head: number][]): void {
    for (const [partition, head] of ahead) {
      if (this.position(partition) >= head) continue;
      metrics.gaps.inc();
      this.sequencers[partition]?.catchUp(partition);
    }
  }

  private sequencer(): RowSequencer {
    return new RowSequencer({
      replay: (partition, after, limit) => this.replay(partition, after, limit),
      apply: (batch) => {
        const traces = this.traces.of(batch);
        for (const { partition, rows } of batch) this.listener?.apply(partition, rows, traces);
        if (traces) this.traces.forget(batch);
      },
      jump: {
        rowsMax: REPLAY_ROWS_MAX,
        to: (partition) => {
          metrics.jumps.inc();
          this.listener?.onJump(partition);
        },
      },
      onGap: () => metrics.gaps.inc(),
      logger: log,
    });
  }

  private async replay(partition: number, after: number, limit: number) {
    const page = await this.requester.query('messaging.replay', { partition, after, limit });
    if (page.epoch !== this.currentEpoch) {
      this.doubtEpoch();
      throw new Error('The log has another epoch.');
    }
    metrics.replayed.inc(page.rows.length);
    return page;
  }

  /** Only messaging's own answer counts: anything else may be an old message, or another deployment's. */
  private doubtEpoch(): void {
    if (this.currentEpoch === undefined || this.asking) return;
    this.asking = this.askEpoch().finally(() => (this.asking = undefined));
  }

  private async askEpoch(): Promise<void> {
    const before = this.currentEpoch;
    try {
      const { epoch } = await this.requester.query('messaging.epoch', {});
      if (epoch === before || this.stopped) return;
      log.warn({ before, epoch }, 'The deployment has a new epoch.');
      this.currentEpoch = undefined;
      this.listener?.onNewEpoch();
      await this.begin();
    } catch (error) {
      log.warn({ err: error }, 'The epoch cannot be learnt.');
      await delay(ASK_AGAIN_MS);
    }
  }

  private async begin(): Promise<void> {
    for (let attempt = 1; !this.stopped; attempt += 1) {
      try {
        const { epoch, partitions } = await this.requester.query('messaging.epoch', {});
        if (partitions !== PARTITIONS) throw new Error(`messaging has ${partitions} partitions`);
        const heads = await Promise.all(this.sequencers.map((_, partition) => this.headOf(partition, epoch)));
        this.sequencers.forEach((sequencer, partition) => sequencer.follow(partition, heads[partition] ?? 0));
        this.currentEpoch = epoch;
        return;
      } catch (error) {
        if (attempt === 1) log.warn({ err: error }, 'The heads of the log cannot be read; trying on.');
        await delay(ASK_AGAIN_MS);
      }
    }
  }

  private async headOf(partition: number, epoch: string): Promise<number> {
    const page = await this.requester.query('messaging.replay', { partition, after: 0, limit: 0 });
    if (page.epoch !== epoch) throw new Error('The epoch changed meanwhile.');
    return page.head;
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { PartitionRows, QueryReply } from '@parley/contracts';
import type { Logger } from './options';
import { PageSize } from './page-size';

type Replay = (partition: number, after: number, limit: number) => Promise<QueryReply<'messaging.replay'>>;

export interface SequencerOptions {
  /** Reads rows of the log after a position; messaging answers it. */
  replay: Replay;
  /** Takes rows in dense, rising position per partition, none twice. A rejection is tried again. */
  apply(batch: PartitionRows[]): Promise<void> | void;
  /**
   * Given, a partition that misses more than `rowsMax` rows is not replayed: this is called instead and the partition
   * goes on from `head`. For those who keep no state, only an audience.
   */
  jump?: { rowsMax: number; to(partition: number, head: number): void };
  /**
   * Given, a partition whose log lacks the row after the applied one is followed no longer, so that the others go on, and this
   * is called. Otherwise it is asked for again and again, and everything waits.
   */
  onHole?(partition: number, after: number, next: number): void;
  /** Told of every gap found, with the number of rows missing as far as known. */
  onGap?(partition: number, rows: number): void;
  logger: Logger;
  /** How to wait before trying again; real time unless a simulation brings its own. */
  sleep?(ms: number): Promise<unknown>;
}

interface Offered {
  rows: PartitionRows[];
  done?: () => void;
}

const REPLAY_ROWS_MAX = 500;
const BATCH_ENVELOPES_MAX = 500;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 2000;

/**
 * Puts rows into order: applies only the next position of each partition, skips what it has, and fetches from the log
 * what is missing before what comes after. What arrives while a batch is applied goes into the next one.
 */
export class RowSequencer {
  private readonly applied = new Map<number, number>();
  private readonly heads = new Map<number, number>();
  private offered: Offered[] = [];
  private behind = new Set<number>();
  private running?: Promise<void>;
  private stopped = false;
  /** Rises with every reset; what was begun before is abandoned. */
  private generation = 0;

  private readonly page = new PageSize(REPLAY_ROWS_MAX);
  private readonly sleep: (ms: number) => Promise<unknown>;

  constructor(private readonly options: SequencerOptions) {
    this.sleep = options.sleep ?? ((ms) => delay(ms));
  }

  /** The last applied position; undefined for a partition that is not followed. */
  position(partition: number): number | undefined {
    return this.applied.get(partition);
  }

  /** Rows that the log is known to have and that are not applied yet, over all partitions followed. */
  lag(): number {
    let rows = 0;
    for (const [partition, head] of this.heads)
      rows += Math.max(0, head - (this.applied.get(partition) ?? head));
    return rows;
  }

  /** Follows a partition from a position. */
  follow(partition: number, position: number): void {
    this.applied.set(partition, position);
  }

  unfollow(partition: number): void {
    this.applied.delete(partition);
    this.heads.delete(partition);
    this.behind.delete(partition);
  }

  /** Rows as they arrived; `done` is called once all of them are applied, or were known. */
  offer(rows: PartitionRows[], done?: () => void): void {
    this.offered.push({ rows, done });
    this.wake();
  }

  /** A head that the log has confirmed. One that stays ahead until the next call is fetched: its event was lost. */
  announce(partition: number, head: number): void {
    const position = this.applied.get(partition);
    if (position === undefined) return;
    const wasBehind = position < (this.heads.get(partition) ?? 0);
    this.heads.set(partition, Math.max(head, this.heads.get(partition) ?? 0));
    if (position >= head || !wasBehind) return;
    this.behind.add(partition);
    this.wake();
  }

  /** Fetches whatever the log has beyond the applied position. */
  catchUp(partition: number): void {
    this.behind.add(partition);
    this.wake();
  }

  /** Forgets everything: what was offered, what is being tried, and every position. For another history of the log. */
  reset(): void {
    for (const partition of [...this.applied.keys()]) this.unfollow(partition);
    for (const { done } of this.offered.splice(0)) done?.();
    this.generation += 1;
  }

  /** Resolves when everything offered so far is applied. */
  async idle(): Promise<void> {
    while (this.running) await this.running;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private wake(): void {
    this.running ??= this.run().finally(() => {
      this.running = undefined;
      if (!this.stopped && (this.offered.length > 0 || this.behind.size > 0)) this.wake();
    });
  }

  private async run(): Promise<void> {
    while (!this.stopped && (this.offered.length > 0 || this.behind.size > 0)) {
      const taken = this.offered.splice(0, BATCH_ENVELOPES_MAX);
      await this.applyInOrder(taken.flatMap((offered) => offered.rows));
      for (const { done } of taken) if (!this.stopped) done?.();
      for (const partition of this.behind) {
        this.behind.delete(partition);
        await this.fetch(partition, Infinity);
      }
    }
  }

  private isCurrent(generation: number): boolean {
    return !this.stopped && generation === this.generation;
  }

  private async applyInOrder(offered: PartitionRows[]): Promise<void> {
    const { generation } = this;
    let batch = new Map<number, PartitionRows>();
    for (const { partition, rows } of offered) {
      for (const row of rows) {
        const position = this.applied.get(partition);
        if (position === undefined) break;
        const collected = batch.get(partition);
        const next = position + (collected?.rows.length ?? 0) + 1;
        if (row.position < next) continue;
        if (row.position > next) {
          // Rows before the gap first, then the gap from the log, which may cover this row as well.
          await this.commit(batch);
          batch = new Map();
          this.options.onGap?.(partition, row.position - next);
          await this.fetch(partition, row.position - 1);
          if (!this.isCurrent(generation)) return;
          if ((this.applied.get(partition) ?? Infinity) + 1 !== row.position) continue;
        }
        const target = batch.get(partition) ?? { partition, rows: [] };
        target.rows.push(row);
        batch.set(partition, target);
      }
    }
    await this.commit(batch);
  }

  /** Applies what the log has after the applied position, at least up to `to` where the log has it. */
  private async fetch(partition: number, to: number): Promise<void> {
    const { generation } = this;
    for (let waitMs = RETRY_MS_MIN; this.isCurrent(generation);) {
      const after = this.applied.get(partition);
      if (after === undefined || after >= to) return;
      try {
        const { head, rows } = await this.page.ask((limit) => this.options.replay(partition, after, limit));
        if (!this.isCurrent(generation)) return;
        this.heads.set(partition, Math.max(head, this.heads.get(partition) ?? 0));
        const { jump } = this.options;
        if (jump && head - after > jump.rowsMax) {
          if (this.applied.has(partition)) this.applied.set(partition, head);
          jump.to(partition, head);
          return;
        }
        const first = rows[0];
        if (!first) return;
        if (first.position !== after + 1) {
          if (!this.options.onHole) throw new Error(`the log answered ${first.position} after ${after}`);
          this.unfollow(partition);
          this.options.onHole(partition, after, first.position);
          return;
        }
        await this.commit(new Map([[partition, { partition, rows }]]));
        waitMs = RETRY_MS_MIN;
      } catch (error) {
        this.options.logger.warn({ partition, after, err: error }, 'feed: cannot fetch missing rows');
        await this.sleep(waitMs);
        waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
      }
    }
  }

  private async commit(batch: Map<number, PartitionRows>): Promise<void> {
    const { generation } = this;
    for (let waitMs = RETRY_MS_MIN; this.isCurrent(generation); waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      // Those given up meanwhile are somebody else's now.
      const partitions = [...batch.values()].filter(({ partition }) => this.applied.has(partition));
      if (partitions.length === 0) return;
      try {
        await this.options.apply(partitions);
        if (this.isCurrent(generation)) this.advance(partitions);
        return;
      } catch (error) {
        this.options.logger.warn({ err: error }, 'feed: cannot apply rows, trying again');
        await this.sleep(waitMs);
      }
    }
  }

  private advance(partitions: PartitionRows[]): void {
    for (const { partition, rows } of partitions) {
      const position = this.applied.get(partition);
      const last = rows[rows.length - 1];
      if (last && position !== undefined) this.applied.set(partition, Math.max(position, last.position));
    }
  }
}

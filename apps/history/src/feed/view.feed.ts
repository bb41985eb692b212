import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { FeedHandler } from '@parley/broker';
import type { PartitionRows } from '@parley/contracts';
import { counter, getLogger, histogram } from '@parley/service';
import { RowsDoNotFollow, ViewFeedStore } from '../view/view.store';
import { EpochSource } from './epoch.source';
import { FeedRepair } from './feed.repair';
import { HeadWatch } from './head.watch';
import { replayParked } from './parked.replay';
import { countRows, RowWriter } from './row.writer';

const log = getLogger('ViewFeed');

/** A batch costs the same whether it holds one row or ten, so they start no closer together than this. */
const batchEveryMs = 20;

const applied = counter('history_applied_rows_total', 'Rows of the log that went into the view.');
const duration = histogram('history_apply_duration_seconds', 'Time to store one batch of rows.');
const batchRows = histogram(
  'history_apply_batch_rows',
  'Rows in one batch.',
  [],
  [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
);

/** Puts the log's rows into the view. */
@Injectable()
export class ViewFeed implements FeedHandler {
  /** The epoch of the positions that the feed goes on from, and so of the rows that it brings. */
  private epoch = '';
  private startedAt = -Infinity;
  private erasing?: Promise<void>;
  private retrying?: Promise<void>;

  constructor(
    private readonly store: ViewFeedStore,
    private readonly writer: RowWriter,
    private readonly repair: FeedRepair,
    private readonly epochs: EpochSource,
    private readonly watch: HeadWatch,
  ) {}

  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const positions = await this.store.load(partitions, epoch);
    this.epoch = epoch;
    this.epochs.learn(epoch);
    this.retryParked();
    // A store may only have put the state of another epoch out of sight.
    this.erase();
    return positions;
  }

  async apply(batch: PartitionRows[]): Promise<void> {
    // What arrives during the wait goes into the next batch.
    const waitMs = this.startedAt + batchEveryMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    this.startedAt = performance.now();

    const stop = duration.startTimer();
    try {
      await this.writer.write(batch, this.epoch);
    } catch (error) {
      if (error instanceof RowsDoNotFollow) await this.repair.repair(positionsBefore(batch));
      throw error;
    }
    stop();
    const rows = countRows(batch);
    applied.inc(rows);
    batchRows.observe(rows);
    this.watch.applied(batch);
    if (batch.some((part) => part.rows.some((row) => row.kind === 'conversation.deleted'))) this.erase();
  }

  /** Erases what deleted conversations and former epochs leave behind, beside the feed. What fails is taken up by the next call. */
  erase(): void {
    this.erasing ??= this.eraseAll()
      .catch((error: unknown) => log.warn({ err: error }, 'What was left behind cannot be erased yet.'))
      .finally(() => {
        this.erasing = undefined;
      });
  }

  /** Resolves when nothing is under way beside the feed. */
  async idle(): Promise<void> {
    await Promise.all([this.erasing, this.retrying]);
  }

  /** Partitions are taken when a release takes over from another, which may have parked what this one knows. */
  private retryParked(): void {
    this.retrying ??= replayParked(this.store)
      .then((outcomes) => {
        const taken = outcomes.filter(({ reason }) => reason === undefined).length;
        if (taken > 0) log.info({ taken, left: outcomes.length - taken }, 'Parked events were applied.');
      })
      .catch((error: unknown) => log.warn({ err: error }, 'Parked events cannot be tried again now.'))
      .finally(() => {
        this.retrying = undefined;
      });
  }

  private async eraseAll(): Promise<void> {
    while (await this.store.erase()) continue;
  }
}

function positionsBefore(batch: PartitionRows[]): Map<number, number> {
  return new Map(batch.map(({ partition, rows }) => [partition, (rows[0]?.position ?? 1) - 1]));
}

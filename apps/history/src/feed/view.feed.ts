import { Injectable } from '@nestjs/common';
import type { FeedHandler } from '@parley/broker';
import type { PartitionRows } from '@parley/contracts';
import { counter, getLogger, histogram } from '@parley/service';
import { ViewFeedStore } from '../view/view.store';
import { EpochSource } from './epoch.source';
import { HeadWatch } from './head.watch';
import { replayParked } from './parked.replay';
import { countRows, RowWriter } from './row.writer';

const log = getLogger('ViewFeed');

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
  private erasing?: Promise<void>;
  private retrying?: Promise<void>;

  constructor(
    private readonly store: ViewFeedStore,
    private readonly writer: RowWriter,
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

  positions(partitions: number[]): Promise<Map<number, number>> {
    return this.store.positions(partitions, this.epoch);
  }

  async apply(batch: PartitionRows[]): Promise<void> {
    const stop = duration.startTimer();
    await this.writer.write(batch, this.epoch);
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

import { Injectable } from '@nestjs/common';
import type { FeedHandler } from '@parley/broker';
import type { LogEvent, PartitionRows } from '@parley/contracts';
import { counter, getLogger, histogram } from '@parley/service';
import type { ParkedEvent, SoundRows } from '../view/view.store';
import { RowsRefused, ViewFeedStore } from '../view/view.store';
import { EpochSource } from './epoch.source';
import { HeadWatch } from './head.watch';
import { checkRow, parkedOf } from './row.check';

const log = getLogger('ViewFeed');

const applied = counter('history_applied_rows_total', 'Rows of the log that went into the view.');
const parkedTotal = counter(
  'history_parked_events_total',
  'Events that could not be applied and were parked.',
);
const duration = histogram('history_apply_duration_seconds', 'Time to store one batch of rows.');
const batchRows = histogram(
  'history_apply_batch_rows',
  'Rows in one batch.',
  [],
  [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000],
);

/** Puts the log's rows into the view. What cannot be applied is parked, so that its partition goes on. */
@Injectable()
export class ViewFeed implements FeedHandler {
  constructor(
    private readonly store: ViewFeedStore,
    private readonly epochs: EpochSource,
    private readonly watch: HeadWatch,
  ) {}

  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const positions = await this.store.load(partitions, epoch);
    this.epochs.learn(epoch);
    return positions;
  }

  async apply(batch: PartitionRows[]): Promise<void> {
    const stop = duration.startTimer();
    const epoch = await this.epochs.current();
    await this.write(batch, epoch);
    stop();
    const rows = countRows(batch);
    applied.inc(rows);
    batchRows.observe(rows);
    this.watch.applied(batch);
    if (batch.some((part) => part.rows.some((row) => row.kind === 'conversation.deleted'))) this.erase();
  }

  /** Erases what deleted conversations leave behind, beside the feed. What fails is taken up by the next call. */
  erase(): void {
    this.erasing ??= this.eraseAll()
      .catch((error: unknown) => log.warn({ err: error }, 'Deleted conversations cannot be erased yet.'))
      .finally(() => {
        this.erasing = undefined;
      });
  }

  /** Resolves when no erasing is under way. */
  async idle(): Promise<void> {
    await this.erasing;
  }

  private erasing?: Promise<void>;

  private async eraseAll(): Promise<void> {
    while (await this.store.erase()) continue;
  }

  private async write(batch: PartitionRows[], epoch: string): Promise<void> {
    const sound: SoundRows[] = [];
    const parked: ParkedEvent[] = [];
    for (const { partition, rows } of batch) {
      const good: LogEvent[] = [];
      for (const row of rows) {
        const reason = checkRow(partition, row);
        if (reason === undefined) good.push(row);
        else parked.push(parkedOf(partition, row, reason));
      }
      const [first, last] = [rows[0], rows[rows.length - 1]];
      if (first && last) sound.push({ partition, first: first.position, last: last.position, rows: good });
    }
    try {
      await this.store.apply(sound, parked, epoch);
      this.report(parked);
    } catch (error) {
      if (!(error instanceof RowsRefused)) throw error;
      await this.isolate(batch, epoch, error);
    }
  }

  /** Some row is refused by the store itself: halves the batch until it stands alone, and parks it. */
  private async isolate(batch: PartitionRows[], epoch: string, refusal: RowsRefused): Promise<void> {
    const rows = countRows(batch);
    if (rows > 1) {
      for (const half of halves(batch, Math.floor(rows / 2))) await this.write(half, epoch);
      return;
    }
    const part = batch[0];
    const row = part?.rows[0];
    if (!part || !row) return;
    const parked = [parkedOf(part.partition, row, `refused by the store: ${refusal.message}`)];
    const { position } = row;
    await this.store.apply(
      [{ partition: part.partition, first: position, last: position, rows: [] }],
      parked,
      epoch,
    );
    this.report(parked);
  }

  private report(parked: ParkedEvent[]): void {
    for (const { partition, position, conversationId, reason } of parked) {
      parkedTotal.inc();
      log.error({ partition, position, conversationId, reason }, 'An event was parked.');
    }
  }
}

function countRows(batch: PartitionRows[]): number {
  return batch.reduce((sum, { rows }) => sum + rows.length, 0);
}

/** The first `count` rows and the rest; a partition may be in both. */
function halves(batch: PartitionRows[], count: number): [PartitionRows[], PartitionRows[]] {
  const front: PartitionRows[] = [];
  const back: PartitionRows[] = [];
  let left = count;
  for (const { partition, rows } of batch) {
    const taken = rows.slice(0, left);
    const rest = rows.slice(left);
    left -= taken.length;
    if (taken.length > 0) front.push({ partition, rows: taken });
    if (rest.length > 0) back.push({ partition, rows: rest });
  }
  return [front, back];
}

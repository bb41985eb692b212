import { Injectable } from '@nestjs/common';
import type { LogEvent, PartitionRows } from '@parley/contracts';
import { getLogger, within } from '@parley/service';
import type { ParkedEvent, SoundRows } from '../view/view.store';
import { RowsRefused, ViewFeedStore } from '../view/view.store';
import { checkRow, parkedOf } from './row.check';

const log = getLogger('RowWriter');

/** Well above what a slow store takes for a batch, of which each command is bounded. */
const APPLY_MS = 60_000;

/** Writes rows to the store. What cannot be applied is parked, so that its partition goes on. */
@Injectable()
export class RowWriter {
  constructor(private readonly store: ViewFeedStore) {}

  /** @throws RowsDoNotFollow as the store does; whatever it rejects with while it is away */
  async write(batch: PartitionRows[], epoch: string): Promise<void> {
    const { sound, parked } = sort(batch);
    try {
      await this.apply(sound, parked, epoch);
      report(parked);
    } catch (error) {
      if (!(error instanceof RowsRefused)) throw error;
      await this.isolate(batch, epoch, error);
    }
  }

  private apply(sound: SoundRows[], parked: ParkedEvent[], epoch: string): Promise<void> {
    return within(APPLY_MS, 'writing to the view', this.store.apply(sound, parked, epoch));
  }

  /** The store itself refuses some row: halves the batch until that row stands alone, and parks it. */
  private async isolate(batch: PartitionRows[], epoch: string, refusal: RowsRefused): Promise<void> {
    const count = countRows(batch);
    if (count > 1) {
      for (const half of halves(batch, Math.floor(count / 2))) await this.write(half, epoch);
      return;
    }
    const part = batch[0];
    const row = part?.rows[0];
    if (!part || !row) return;
    const { partition } = part;
    const { position } = row;
    const parked = [parkedOf(partition, row, `refused by the store: ${refusal.message}`)];
    await this.apply([{ partition, first: position, last: position, rows: [] }], parked, epoch);
    report(parked);
  }
}

export function countRows(batch: PartitionRows[]): number {
  return batch.reduce((sum, { rows }) => sum + rows.length, 0);
}

function sort(batch: PartitionRows[]): { sound: SoundRows[]; parked: ParkedEvent[] } {
  const sound: SoundRows[] = [];
  const parked: ParkedEvent[] = [];
  for (const { partition, rows } of batch) {
    const [first, last] = [rows[0], rows[rows.length - 1]];
    if (!first || !last) continue;
    const good: LogEvent[] = [];
    for (const row of rows) {
      const reason = checkRow(partition, row);
      if (reason === undefined) good.push(row);
      else parked.push(parkedOf(partition, row, reason));
    }
    sound.push({ partition, first: first.position, last: last.position, rows: good });
  }
  return { sound, parked };
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

function report(parked: ParkedEvent[]): void {
  for (const { partition, position, conversationId, reason } of parked) {
    log.error({ partition, position, conversationId, reason }, 'An event was parked.');
  }
}

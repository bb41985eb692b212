import type { LogEvent, PartitionRows } from '@parley/contracts';
import type { Logger } from './options';
import { PageSize } from './page-size';

/** A store's refusal of rows that do not follow on what it holds; it has stored none of them. */
export class RowsDoNotFollow extends Error {}

export interface FeedRepairOptions {
  /** The stored positions of those of the partitions that are stored under the epoch in force. */
  positions(partitions: number[]): Promise<Map<number, number>>;
  /** The rows after a position. @throws when the log has another epoch */
  replay(partition: number, after: number, limit: number): Promise<{ rows: LogEvent[] }>;
  apply(batch: PartitionRows[]): Promise<void>;
  onRepaired?(rows: number): void;
  logger: Logger;
}

const PAGE_ROWS_MAX = 500;

/**
 * Gives a store again what it had and lost: the last moments before its server crashed, or what a replica had not got yet
 * when it took over. A feed cannot notice by itself, for it goes on from the positions that it remembers.
 */
export class FeedRepair {
  private readonly page = new PageSize(PAGE_ROWS_MAX);

  constructor(private readonly options: FeedRepairOptions) {}

  /**
   * Brings every partition whose stored position is lower up to the one that was acknowledged.
   *
   * @throws when the store or messaging is away; it may be called again
   */
  async repair(acknowledged: ReadonlyMap<number, number>): Promise<void> {
    const stored = await this.options.positions([...acknowledged.keys()]);
    for (const [partition, position] of stored) {
      const target = acknowledged.get(partition) ?? 0;
      if (position < target) await this.giveAgain(partition, position, target);
    }
  }

  private async giveAgain(partition: number, from: number, target: number): Promise<void> {
    const { replay, apply, onRepaired, logger } = this.options;
    logger.warn({ partition, from, target }, 'feed: the store has lost rows; the log gives them again');
    for (let after = from; after < target;) {
      const { rows } = await this.page.ask((limit) => replay(partition, after, limit));
      const last = rows.at(-1);
      if (!last) return;
      await apply([{ partition, rows }]);
      after = last.position;
      onRepaired?.(rows.length);
    }
  }
}

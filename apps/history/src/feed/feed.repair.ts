import { Inject, Injectable } from '@nestjs/common';
import { PageSize, Requester } from '@parley/broker';
import { counter, getLogger } from '@parley/service';
import { ViewFeedStore } from '../view/view.store';
import { EpochSource } from './epoch.source';
import { RowWriter } from './row.writer';

const log = getLogger('FeedRepair');
const pageRowsMax = 500;

const repaired = counter(
  'history_repaired_rows_total',
  'Rows that the store had lost and got again from the log.',
);

/**
 * Gives a store again what it had and lost: the last moments before its server crashed, or what a replica had not got yet
 * when it took over. The feed cannot notice by itself, for it goes on from the positions that it remembers.
 */
@Injectable()
export class FeedRepair {
  private underWay?: Promise<void>;
  private readonly page = new PageSize(pageRowsMax);

  constructor(
    private readonly store: ViewFeedStore,
    private readonly writer: RowWriter,
    private readonly epochs: EpochSource,
    @Inject(Requester) private readonly requester: Pick<Requester, 'query'>,
  ) {}

  /**
   * Brings every partition whose stored position is lower up to the one that was acknowledged. One run at a time.
   *
   * @throws Error when the store or messaging is away; it may be called again
   */
  repair(acknowledged: Map<number, number>): Promise<void> {
    this.underWay ??= this.run(acknowledged).finally(() => {
      this.underWay = undefined;
    });
    return this.underWay;
  }

  private async run(acknowledged: Map<number, number>): Promise<void> {
    const epoch = await this.epochs.current();
    const stored = await this.store.positions([...acknowledged.keys()], epoch);
    for (const [partition, position] of stored) {
      const target = acknowledged.get(partition) ?? 0;
      if (position < target) await this.replay(partition, position, target, epoch);
    }
  }

  private async replay(partition: number, from: number, target: number, epoch: string): Promise<void> {
    log.warn({ partition, from, target }, 'The store has lost rows; the log gives them again.');
    let after = from;
    while (after < target) {
      const page = await this.page.ask((limit) =>
        this.requester.query('messaging.replay', { partition, after, limit }),
      );
      if (page.epoch !== epoch || page.rows.length === 0) return;
      await this.writer.write([{ partition, rows: page.rows }], epoch);
      after = page.rows[page.rows.length - 1]?.position ?? target;
      repaired.inc(page.rows.length);
    }
  }
}

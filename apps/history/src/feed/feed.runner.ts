import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { Broker, ControlInbox, LaneFeed, Membership, Requester } from '@parley/broker';
import { counter, gauge, HealthRegistry } from '@parley/service';
import { HeadWatch } from './head.watch';
import { ViewFeed } from './view.feed';

const gaps = counter('history_gaps_total', 'Gaps found in the events and filled from the log.');
const repaired = counter(
  'history_repaired_rows_total',
  'Rows that the store had lost and got again from the log.',
);

/** Runs the feed for as long as the service runs, and says how it does. */
@Injectable()
export class FeedRunner implements OnModuleInit, BeforeApplicationShutdown {
  private readonly feed: LaneFeed;

  constructor(
    private readonly broker: Broker,
    control: ControlInbox,
    requester: Requester,
    membership: Membership,
    private readonly handler: ViewFeed,
    private readonly health: HealthRegistry,
    watch: HeadWatch,
  ) {
    const onGap = () => gaps.inc();
    const onRepaired = (rows: number) => repaired.inc(rows);
    this.feed = new LaneFeed({ broker, control, requester, membership, handler, onGap, onRepaired });
    watch.isFed = (partition) => this.feed.position(partition) !== undefined;
  }

  onModuleInit(): void {
    const { feed, broker } = this;
    gauge('history_lag_rows', 'Rows that the log is known to have and the view has not.', [], function () {
      this.set(feed.lag());
    });
    gauge(
      'history_stopped_partitions',
      'Partitions that are not fed until somebody looks: the log does not go on from what is stored.',
      [],
      function () {
        this.set(feed.stoppedPartitions());
      },
    );
    gauge('history_lanes', 'Lanes of events that this instance feeds.', [], function () {
      this.set(feed.lanes().length);
    });
    this.health.register('broker', () => settle(broker.connected ? undefined : 'away'));
    // Reads go on while the feed waits for messaging, or has stopped one partition for an operator to look at.
    this.health.register('feed', () => settle(feed.trouble()), { critical: false });
    this.feed.start();
    this.handler.erase();
  }

  /** Lanes that this instance feeds at the moment. */
  lanes(): number[] {
    return this.feed.lanes();
  }

  /** Before the broker and the database close. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.feed.stop();
    await this.handler.idle();
  }
}

function settle(trouble: string | undefined): Promise<void> {
  return trouble === undefined ? Promise.resolve() : Promise.reject(new Error(trouble));
}

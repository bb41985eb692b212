import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { Broker, ControlInbox, LaneFeed, Membership, Requester } from '@parley/broker';
import { HealthRegistry, counter, gauge } from '@parley/service';
import { NotificationFeed } from './notification.feed';

const gaps = counter('notification_gaps_total', 'Gaps found in the events and filled from the log.');
const repaired = counter(
  'notification_repaired_rows_total',
  'Rows that the database had lost and got again from the log.',
);

/** Runs the feed for as long as the service runs, and says how it does. */
@Injectable()
export class FeedRunner implements OnModuleInit, BeforeApplicationShutdown {
  private readonly lanes: LaneFeed;

  constructor(
    broker: Broker,
    control: ControlInbox,
    requester: Requester,
    membership: Membership,
    handler: NotificationFeed,
    private readonly health: HealthRegistry,
  ) {
    const onGap = () => gaps.inc();
    const onRepaired = (rows: number) => repaired.inc(rows);
    this.lanes = new LaneFeed({ broker, control, requester, membership, handler, onGap, onRepaired });
  }

  onModuleInit(): void {
    const { lanes } = this;
    gauge(
      'notification_lag_rows',
      'Rows that the log is known to have and the lists have not.',
      [],
      function () {
        this.set(lanes.lag());
      },
    );
    gauge(
      'notification_stopped_partitions',
      'Partitions that are not fed until somebody looks: the log does not go on from what is stored.',
      [],
      function () {
        this.set(lanes.stoppedPartitions());
      },
    );
    gauge('notification_lanes', 'Lanes of events that this instance feeds.', [], function () {
      this.set(lanes.lanes().length);
    });
    // The lists can be read while the feed waits for messaging, or has stopped for an operator to look.
    const check = () => {
      const trouble = lanes.trouble();
      return trouble === undefined ? Promise.resolve() : Promise.reject(new Error(trouble));
    };
    this.health.register('feed', check, { critical: false });
    lanes.start();
  }

  /** Before the broker and the database close. */
  beforeApplicationShutdown(): Promise<void> {
    return this.lanes.stop();
  }
}

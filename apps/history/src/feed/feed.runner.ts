import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { Broker, ControlInbox, LaneFeed, Membership, Requester } from '@parley/broker';
import { counter, gauge, HealthRegistry } from '@parley/service';
import { HeadWatch } from './head.watch';
import { ViewFeed } from './view.feed';

const gaps = counter('history_gaps_total', 'Gaps found in the events and filled from the log.');

/** Runs the feed for as long as the service runs, and says how it does. */
@Injectable()
export class FeedRunner implements OnModuleInit, BeforeApplicationShutdown {
  private readonly lanes: LaneFeed;

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
    this.lanes = new LaneFeed({ broker, control, requester, membership, handler, onGap });
    watch.isFed = (partition) => this.lanes.position(partition) !== undefined;
  }

  onModuleInit(): void {
    const { lanes, broker } = this;
    gauge('history_lag_rows', 'Rows that the log is known to have and the view has not.', [], function () {
      this.set(lanes.lag());
    });
    gauge('history_lanes', 'Lanes of events that this instance feeds.', [], function () {
      this.set(lanes.lanes().length);
    });
    this.health.register('broker', () => settle(broker.connected ? undefined : 'away'));
    // Reads go on while the feed waits for messaging, or has stopped one partition for an operator to look at.
    this.health.register('feed', () => settle(lanes.trouble()), { critical: false });
    this.lanes.start();
    this.handler.erase();
  }

  /** Before the broker and the database close. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.lanes.stop();
    await this.handler.idle();
  }
}

function settle(trouble: string | undefined): Promise<void> {
  return trouble === undefined ? Promise.resolve() : Promise.reject(new Error(trouble));
}

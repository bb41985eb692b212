import { type BeforeApplicationShutdown, Injectable, type OnModuleInit } from '@nestjs/common';
import { Broker, ControlInbox, LaneFeed, Membership, Requester } from '@parley/broker';
import { PARTITIONS } from '@parley/contracts';
import { counter, gauge, getLogger, HealthRegistry } from '@parley/service';
import { FeedRepair } from './feed.repair';
import { HeadWatch } from './head.watch';
import { ViewFeed } from './view.feed';

const log = getLogger('FeedRunner');

/** How often the stored positions are compared with those that the feed remembers. */
const checkEveryMs = 5000;

const gaps = counter('history_gaps_total', 'Gaps found in the events and filled from the log.');

/** Runs the feed for as long as the service runs, and says how it does. */
@Injectable()
export class FeedRunner implements OnModuleInit, BeforeApplicationShutdown {
  private readonly feed: LaneFeed;
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly broker: Broker,
    control: ControlInbox,
    requester: Requester,
    membership: Membership,
    private readonly handler: ViewFeed,
    private readonly health: HealthRegistry,
    private readonly repair: FeedRepair,
    watch: HeadWatch,
  ) {
    const onGap = () => gaps.inc();
    this.feed = new LaneFeed({ broker, control, requester, membership, handler, onGap });
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
    this.timer = setInterval(() => void this.check(), checkEveryMs);
  }

  /** Lanes that this instance feeds at the moment. */
  lanes(): number[] {
    return this.feed.lanes();
  }

  /** Repairs what the store has lost of what it had acknowledged. Resolves also when that is not possible now. */
  async check(): Promise<void> {
    const positions = new Map<number, number>();
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const position = this.feed.position(partition);
      if (position !== undefined) positions.set(partition, position);
    }
    if (positions.size === 0) return;
    await this.repair
      .repair(positions)
      .catch((error: unknown) => log.warn({ err: error }, 'The stored positions cannot be checked now.'));
  }

  /** Before the broker and the database close. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.feed.stop();
    await this.handler.idle();
  }
}

function settle(trouble: string | undefined): Promise<void> {
  return trouble === undefined ? Promise.resolve() : Promise.reject(new Error(trouble));
}

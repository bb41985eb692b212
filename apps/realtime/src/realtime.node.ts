import type {
  BeforeApplicationShutdown,
  OnApplicationBootstrap,
  OnApplicationShutdown,
} from '@nestjs/common';
import type { Broker, ControlInbox } from '@parley/broker';
import { controlKeys, type DigestEnvelope, type HeadsEnvelope } from '@parley/contracts';
import type { HealthRegistry } from '@parley/service';
import type { Router } from './event/router';
import type { Digest } from './feed/digest';
import type { LaneRelay } from './feed/lane.relay';
import type { NodeLog } from './feed/node-log';
import type { RowApplier } from './feed/row.applier';
import type { RefreshService } from './join/refresh.service';
import type { HeapTrimmer } from './memory/heap.trimmer';
import { showLag } from './metrics';
import type { PresenceAnnouncer } from './presence/presence.announcer';
import type { Cluster } from './socket/cluster';
import type { Drain } from './socket/drain';
import type { Housekeeping } from './socket/housekeeping';
import type { Sessions } from './socket/sessions';

export interface NodeParts {
  broker: Broker;
  control: ControlInbox;
  cluster: Cluster;
  health: HealthRegistry;
  sessions: Sessions;
  router: Router;
  log: NodeLog;
  applier: RowApplier;
  refresh: RefreshService;
  relay: LaneRelay;
  digest: Digest;
  announcer: PresenceAnnouncer;
  housekeeping: Housekeeping;
  trimmer: HeapTrimmer;
  drain: Drain;
}

const EPOCH_RETRY_MS = 5_000;

/** Puts the parts of a node together, and takes them apart in order. */
export class RealtimeNode
  implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  private starting?: Promise<void>;
  private stop!: () => void;
  private readonly stopped = new Promise<void>((resolve) => (this.stop = resolve));
  /** Lanes change hands now and then; only at first does it matter that they are not taken yet. */
  private hasFeed = false;

  constructor(private readonly parts: NodeParts) {
    const { broker, cluster, health, log } = parts;
    health.register('broker', async () => {
      if (!broker.connected) throw new Error('The broker is away.');
    });
    health.register('log', async () => {
      this.hasFeed ||= log.epoch !== undefined && parts.relay.takesItsShare();
      if (!this.hasFeed || log.epoch === undefined) throw new Error('The log is not followed yet.');
    });
    // Own sockets are served without it, others' a little later.
    health.register('redis', () => cluster.redis.ping(), { critical: false });
    showLag(() => log.lags());
  }

  onApplicationBootstrap(): void {
    const { sessions, router, control, log, digest, housekeeping, trimmer } = this.parts;
    sessions.handleEvents((session, packet) => router.receive(session, packet));
    control.on(controlKeys.heads, (body) => log.hear(body as HeadsEnvelope));
    control.on(controlKeys.digest, (body) => digest.hear(body as DigestEnvelope));
    housekeeping.start();
    trimmer.start();
    this.starting = this.startFeed();
  }

  /** The sockets go first: until the last one has gone, everything works. */
  async beforeApplicationShutdown(): Promise<void> {
    const { drain, announcer, relay, log, housekeeping, trimmer } = this.parts;
    await drain.run();
    announcer.stop();
    this.stop();
    await log.stop();
    await this.starting;
    await relay.stop();
    housekeeping.stop();
    trimmer.stop();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.parts.cluster.close();
  }

  private async startFeed(): Promise<void> {
    const { broker, log, applier, refresh, relay } = this.parts;
    await Promise.race([broker.whenConnected(), this.stopped]);
    await log.start({
      apply: (partition, rows, traces) => applier.apply(partition, rows, traces),
      onJump: (partition) => refresh.schedule(partition),
      onNewEpoch: () => this.startAfresh(),
    });
    relay.start();
  }

  /** A backup was restored: every socket comes back and gets the new epoch with its `ready`. */
  private startAfresh(): void {
    for (const session of [...this.parts.sessions.all()]) {
      session.close('internal', Math.floor(Math.random() * EPOCH_RETRY_MS));
    }
  }
}

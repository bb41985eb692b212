import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Membership } from '@parley/broker';
import { SERVICE_CONFIG, getLogger } from '@parley/service';
import type { Config } from './config';
import { Leadership } from './leadership';
import { Periodic } from './periodic';
import { connectionsDropped } from './presence.metrics';
import { PresenceStore } from './presence.store.redis';

const log = getLogger('NodeSweeper');

const SWEEP_MS = 500;
const SLICE_MIN = 100;
const SLICE_MAX = 2000;

/**
 * Forgets the connections of nodes that are gone, and those that a living node no longer announces. Silence only counts
 * while this instance could have heard: every outage of the broker or of Redis, and every change of leader, starts all
 * waits anew, so that nobody goes offline because presence was deaf.
 */
@Injectable()
export class NodeSweeper implements OnModuleInit, BeforeApplicationShutdown {
  private readonly periodic = new Periodic(SWEEP_MS, () => this.sweep());
  /** Since when this instance has listened without a break; all times by the monotonic clock, in milliseconds. */
  private listeningSince?: number;
  private readonly heardAt = new Map<string, number>();
  private readonly slices = new Map<string, number>();

  constructor(
    private readonly store: PresenceStore,
    private readonly membership: Membership,
    private readonly leadership: Leadership,
    @Inject(SERVICE_CONFIG) private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.periodic.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.periodic.stop();
  }

  private async sweep(): Promise<void> {
    if (!this.leadership.isHeld()) {
      this.startAnew();
      return;
    }
    try {
      const now = performance.now();
      this.listeningSince ??= now;
      const alive = new Set(this.membership.instances('realtime'));
      for (const node of alive) this.heardAt.set(node, now);
      for (const node of await this.store.nodes()) {
        if (alive.has(node)) await this.forgetUnannounced(node, now - this.listeningSince);
        else await this.forgetGone(node, now - (this.heardAt.get(node) ?? this.listeningSince));
      }
    } catch (error) {
      if (this.listeningSince !== undefined) log.warn({ err: error }, 'Cannot sweep at the moment.');
      this.startAnew();
    }
  }

  private startAnew(): void {
    this.listeningSince = undefined;
    this.heardAt.clear();
    this.slices.clear();
  }

  /** Fields of closed connections end here too: they only served to tell late events from new ones. */
  private async forgetUnannounced(node: string, listeningMs: number): Promise<void> {
    this.slices.delete(node);
    const { PRESENCE_CONNECTION_TTL_MS: ttlMs } = this.config;
    if (listeningMs < ttlMs) return;
    const dropped = await this.store.drop(node, ttlMs, SLICE_MAX);
    connectionsDropped.inc({ reason: 'unannounced' }, dropped);
  }

  private async forgetGone(node: string, silentMs: number): Promise<void> {
    if (silentMs < this.config.PRESENCE_NODE_GRACE_MS) return;
    let slice = this.slices.get(node);
    if (slice === undefined) {
      const users = await this.store.usersOf(node);
      const share = Math.ceil((users * SWEEP_MS) / Math.max(this.config.PRESENCE_SPREAD_MS, SWEEP_MS));
      slice = Math.min(SLICE_MAX, Math.max(SLICE_MIN, share));
      this.slices.set(node, slice);
      log.info({ node, users }, 'A realtime node is gone: its users go offline unless they are elsewhere.');
    }
    const dropped = await this.store.drop(node, 0, slice);
    connectionsDropped.inc({ reason: 'node_gone' }, dropped);
    if (dropped < slice) {
      this.slices.delete(node);
      this.heardAt.delete(node);
    }
  }
}

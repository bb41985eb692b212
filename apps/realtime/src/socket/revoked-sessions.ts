import type { Broker } from '@parley/broker';
import { queues } from '@parley/contracts';

/** An access token may outlive its session by its whole life. */
const KEPT_MS = 600_000;
const KEPT_MAX = 100_000;
/** Without this node for longer, the queue of account events is gone, and what it held. */
const QUEUE_KEPT_MS = queues.liveAccounts('realtime', '').expiresMs ?? 0;

/** Sessions that ended lately: their tokens still look good, but open no socket any more. */
export class RevokedSessions {
  private readonly untilMs = new Map<string, number>();
  private hearingSinceMs = performance.now();
  private deafSinceMs?: number;

  constructor(broker: Broker) {
    broker.on('disconnected', () => (this.deafSinceMs = performance.now()));
    broker.on('connected', () => this.hearAgain());
  }

  /** Whether this node has heard of every session that ended while tokens of it may still look good. */
  get areComplete(): boolean {
    return performance.now() - this.hearingSinceMs >= KEPT_MS;
  }

  add(sessionId: string): void {
    const [oldest] = this.untilMs.keys();
    if (this.untilMs.size >= KEPT_MAX && oldest !== undefined) this.untilMs.delete(oldest);
    this.untilMs.set(sessionId, Date.now() + KEPT_MS);
  }

  has(sessionId: string): boolean {
    return this.untilMs.has(sessionId);
  }

  /** Called now and then. */
  sweep(nowMs: number): void {
    for (const [sessionId, untilMs] of this.untilMs) {
      if (untilMs > nowMs) return;
      this.untilMs.delete(sessionId);
    }
  }

  private hearAgain(): void {
    const now = performance.now();
    if (this.deafSinceMs !== undefined && now - this.deafSinceMs >= QUEUE_KEPT_MS) this.hearingSinceMs = now;
    this.deafSinceMs = undefined;
  }
}

/** An access token may outlive its session by its whole life. */
const KEPT_MS = 600_000;
const KEPT_MAX = 100_000;

/** Sessions that ended lately: their tokens still look good, but open no socket any more. */
export class RevokedSessions {
  private readonly untilMs = new Map<string, number>();

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
}

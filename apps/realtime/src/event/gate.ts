import { unavailable } from '@parley/contracts';

export interface GateOptions {
  /** Works under way at once, 1 at least. Asked at each turn: it may change. */
  concurrency(): number;
  /** More waiting than that are refused at once. */
  waitingMax: number;
  /** Who has waited longer is refused when the turn comes: by then the answer would come too late. */
  waitMsMax: number;
}

interface Waiter {
  sinceMs: number;
  enter(): void;
  refuse(error: Error): void;
}

const RETRY_AFTER_MS_MIN = 1_000;
/** Beyond that an estimate is worth little, and whatever was slow may have recovered. */
const RETRY_AFTER_MS_MAX = 15_000;
/** How much the newest turn counts in the average, and how long one turn may seem. */
const NEWEST = 0.05;
const TURN_MS_MAX = 250;

/**
 * Lets a few works through at once; the others wait here, in order. Asked all at once, the service behind would work on
 * questions whose askers have given up, answer none in time, and be asked again. Who is refused is told when there will
 * be a turn, each another one: told less, a storm comes back several times for each turn that there is.
 */
export class Gate {
  private underWay = 0;
  private readonly line = new Set<Waiter>();
  /** Between two turns, on average, while somebody waits. */
  private turnMs = 0;
  private lastTurnMs?: number;
  /** Up to when turns are promised to those who were refused. */
  private promisedMs = 0;

  constructor(private readonly options: GateOptions) {}

  /** @throws ParleyError `unavailable` when the line is too long, or moved too slowly; whatever the work throws */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.hasRoom && this.line.size === 0) this.underWay += 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  private get hasRoom(): boolean {
    return this.underWay < this.options.concurrency();
  }

  private turn(): Promise<void> {
    const { waitingMax, waitMsMax } = this.options;
    // Waiting in vain would only make the line longer for others.
    const expectedMs = this.line.size * this.turnMs;
    if (this.line.size >= waitingMax || expectedMs > waitMsMax) throw this.refusal();
    return new Promise((resolve, reject) => {
      this.line.add({ sinceMs: performance.now(), enter: resolve, refuse: reject });
    });
  }

  /** Gives the place, and what else there is room for, to those who have waited longest and not too long. */
  private next(): void {
    const now = performance.now();
    this.observe(now);
    this.underWay -= 1;
    const oldest = now - this.options.waitMsMax;
    for (const waiter of this.line) {
      if (!this.hasRoom) return;
      this.line.delete(waiter);
      if (waiter.sinceMs < oldest) {
        waiter.refuse(this.refusal());
      } else {
        this.underWay += 1;
        waiter.enter();
      }
    }
  }

  private observe(now: number): void {
    if (this.line.size === 0) {
      this.lastTurnMs = undefined;
      return;
    }
    if (this.lastTurnMs !== undefined) {
      const turnMs = Math.min(now - this.lastTurnMs, TURN_MS_MAX);
      this.turnMs += (turnMs - this.turnMs) * NEWEST;
    }
    this.lastTurnMs = now;
  }

  /** Promises the next turn behind the line and behind all that are promised. */
  private refusal(): Error {
    const now = performance.now();
    const nextMs = Math.max(this.promisedMs, now + this.line.size * this.turnMs) + this.turnMs;
    // No further than anybody is told, or one storm's promises would hold up those of the next.
    this.promisedMs = Math.min(nextMs, now + RETRY_AFTER_MS_MAX);
    const waitMs = Math.max(this.promisedMs - now, RETRY_AFTER_MS_MIN);
    // Those who are told the same must not come back together.
    return unavailable('Too many ask at once.', Math.round(waitMs * (1 + Math.random() / 2)));
  }
}

import { unavailable } from '@parley/contracts';

export interface GateOptions {
  /** Works under way at once. */
  concurrency: number;
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

const RETRY_AFTER_MS = 1_000;

/**
 * Lets a few works through at once; the others wait here, in order. Asked all at once, the service behind would work on
 * questions whose askers have given up, answer none in time, and be asked again.
 */
export class Gate {
  private free: number;
  private readonly line = new Set<Waiter>();

  constructor(private readonly options: GateOptions) {
    this.free = options.concurrency;
  }

  /** @throws ParleyError `unavailable` when the line is too long, or moved too slowly; whatever the work throws */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await this.turn();
    try {
      return await work();
    } finally {
      this.next();
    }
  }

  private turn(): Promise<void> {
    if (this.line.size >= this.options.waitingMax) throw tooMany();
    return new Promise((resolve, reject) => {
      this.line.add({ sinceMs: performance.now(), enter: resolve, refuse: reject });
    });
  }

  /** Hands the place on to whoever has waited longest and not too long. */
  private next(): void {
    const oldest = performance.now() - this.options.waitMsMax;
    for (const waiter of this.line) {
      this.line.delete(waiter);
      if (waiter.sinceMs < oldest) {
        waiter.refuse(tooMany());
      } else {
        waiter.enter();
        return;
      }
    }
    this.free += 1;
  }
}

/** Those who are refused together must not come back together. */
function tooMany(): Error {
  return unavailable(
    'Too many ask at once.',
    RETRY_AFTER_MS + Math.floor(Math.random() * 2 * RETRY_AFTER_MS),
  );
}

/** A command has to end within its time (a second), however large a batch is and however slow the server. */
const OPERATIONS_MAX = 500;
const OPERATIONS_MIN = 8;
/** Well below that time: a server may be slower from one command to the next. */
const AIM_MS = 200;

/**
 * How many operations a command has, learnt from how long they take on this server. One that takes too long is given up
 * and repeated whole, so with a fixed number a slow server would never get beyond it.
 */
export class Pace {
  private operations = OPERATIONS_MAX;

  /** Chunks of a size that fits, each with where it begins; they are done one after the other. */
  async inChunks<T>(items: T[], work: (chunk: T[], from: number) => Promise<void>): Promise<void> {
    for (let from = 0; from < items.length;) {
      const chunk = items.slice(from, from + this.operations);
      const startMs = performance.now();
      try {
        await work(chunk, from);
      } finally {
        // What failed may have failed by its length: the time that it took tells.
        this.learn(chunk.length, performance.now() - startMs);
      }
      from += chunk.length;
    }
  }

  /** At most twice as many as were seen to fit: a short command says little of long ones. */
  private learn(operations: number, tookMs: number): void {
    const fitting = Math.floor((operations * AIM_MS) / Math.max(tookMs, 1));
    if (fitting >= this.operations) {
      if (operations === this.operations) this.operations = Math.min(2 * operations, fitting, OPERATIONS_MAX);
    } else if (tookMs > AIM_MS) {
      this.operations = Math.max(fitting, OPERATIONS_MIN);
    }
  }
}

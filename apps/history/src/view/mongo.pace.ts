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
      const tookMs = () => performance.now() - startMs;
      try {
        await work(chunk, from);
      } catch (error) {
        // It may have failed by its length. One that failed at once says nothing of what would fit.
        this.slowDown(chunk.length, tookMs());
        throw error;
      }
      this.slowDown(chunk.length, tookMs());
      this.speedUp(chunk.length, tookMs());
      from += chunk.length;
    }
  }

  private slowDown(operations: number, tookMs: number): void {
    if (tookMs > AIM_MS) this.operations = Math.max(fitting(operations, tookMs), OPERATIONS_MIN);
  }

  /** At most to twice as many as were seen to fit: a short command says little of long ones. */
  private speedUp(operations: number, tookMs: number): void {
    if (operations < this.operations) return;
    const most = Math.min(2 * operations, fitting(operations, tookMs), OPERATIONS_MAX);
    this.operations = Math.max(this.operations, most);
  }
}

/** As many operations as take the time aimed at, where so many took so long. */
function fitting(operations: number, tookMs: number): number {
  return Math.floor((operations * AIM_MS) / Math.max(tookMs, 1));
}

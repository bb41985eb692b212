import type { OwnerClock } from './clock';
import { LogBroken, type LogStore } from './log.store';
import type { Partition } from './partition';

export interface LateRowsOptions {
  store: LogStore;
  clock: OwnerClock;
  /** The log could not be read; it is asked again. */
  onUnread?(error: unknown): void;
  /** The log goes on behind the end that was known. */
  found(partition: Partition): void;
}

const LOOK_MS = 1000;
/** As long as a server that stood still may take to end what it was given before. */
const LOOKS = 15;

/**
 * The end of a log that was read may still move without its owner: by what a former owner appends, who has not heard of the
 * end of his term, or by an append that was given up. The next row of the owner would meet it; until then nobody would be told
 * of it, and what needs no row would be refused, or answered, on what was before it. So the end is looked at again for a while.
 */
export class LateRows {
  private readonly looksLeft = new Map<Partition, number>();
  private isRunning = false;

  constructor(private readonly options: LateRowsOptions) {}

  watch(partition: Partition): void {
    this.looksLeft.set(partition, LOOKS);
    if (!this.isRunning) void this.run();
  }

  private async run(): Promise<void> {
    this.isRunning = true;
    while (this.looksLeft.size > 0) {
      await this.options.clock.sleep(LOOK_MS);
      await this.look();
    }
    this.isRunning = false;
  }

  private async look(): Promise<void> {
    const { store, onUnread, found } = this.options;
    const quiet = this.watched().filter(isQuiet);
    if (quiet.length === 0) return;
    try {
      const tails = await store.catchUp(quiet.map(({ number }) => number));
      for (const partition of quiet.filter(isQuiet)) {
        const tail = tails.get(partition.number);
        if (tail && !(tail instanceof LogBroken) && tail.position > partition.committed) found(partition);
      }
    } catch (error) {
      onUnread?.(error);
    }
  }

  private watched(): Partition[] {
    for (const [partition, left] of this.looksLeft) {
      if (partition.isLost || left === 0) this.looksLeft.delete(partition);
      else this.looksLeft.set(partition, left - 1);
    }
    return [...this.looksLeft.keys()];
  }
}

/** What is under way to the log meets a late row by itself. */
function isQuiet({ isLost, isResetting, hasUncommitted }: Partition): boolean {
  return !isLost && !isResetting && !hasUncommitted;
}

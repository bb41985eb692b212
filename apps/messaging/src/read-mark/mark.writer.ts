import { MarkReader } from './mark.reader';
import type { Mark, MarkPlace, MarkStore } from './mark.store';

interface Pending extends Mark {
  /** Moved by the user's own send: his devices derive it from the message and need no telling. */
  isSilent: boolean;
}

const FLUSH_MS = 800;
const CHUNK = 1000;

export interface MarkWriterOptions {
  store: MarkStore;
  /** Tells these users' devices that something of their own changed. */
  notify(userIds: string[]): void;
  warn(details: object, message: string): void;
}

/** Collects read marks per user and conversation and writes them within a second, one statement for many. */
export class MarkWriter {
  private pending = new Map<string, Pending>();
  /** What is being written at the moment. */
  private underWay: ReadonlyMap<string, Pending> = new Map();
  private timer?: NodeJS.Timeout;
  private writing = Promise.resolve();
  private readonly reader: MarkReader;

  constructor(private readonly options: MarkWriterOptions) {
    this.reader = new MarkReader(options.store);
  }

  set(mark: Mark, isSilent: boolean): void {
    const key = keyOf(mark);
    const known = this.pending.get(key);
    if (known) {
      known.readNumber = Math.max(known.readNumber, mark.readNumber);
      known.isSilent &&= isSilent;
    } else {
      this.pending.set(key, { ...mark, isSilent });
    }
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS);
  }

  /** Sets or clears the private unread mark, at once: it replaces, so it must not be reordered by collecting. */
  async setUnread(userId: string, conversationId: string, fromNumber: number | null): Promise<void> {
    await this.flush();
    if (await this.options.store.setUnread(userId, conversationId, fromNumber)) this.options.notify([userId]);
  }

  /** Where a mark stands that was set: there, or further. Rejects with pg's errors. */
  async standing(mark: Mark): Promise<number> {
    const key = keyOf(mark);
    // These first: what leaves them meanwhile is read.
    const collected = [this.pending, this.underWay].map((marks) => marks.get(key)?.readNumber ?? 0);
    return Math.max(mark.readNumber, ...collected, await this.reader.standing(mark));
  }

  /** Writes what is collected; marks that cannot be written are kept for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    // One after the other: who waits for one waits for those before it.
    this.writing = this.writing.then(() => this.write());
    return this.writing;
  }

  private async write(): Promise<void> {
    this.underWay = this.pending;
    this.pending = new Map();
    await this.writeAll([...this.underWay.values()]);
    this.underWay = new Map();
  }

  private async writeAll(taken: Pending[]): Promise<void> {
    for (let i = 0; i < taken.length; i += CHUNK) {
      const chunk = taken.slice(i, i + CHUNK);
      try {
        const moved = await this.options.store.advance(chunk);
        const told = new Set(
          chunk.filter((mark) => !mark.isSilent && moved.has(mark.userId)).map((mark) => mark.userId),
        );
        if (told.size > 0) this.options.notify([...told]);
      } catch (error) {
        this.options.warn({ err: error, marks: taken.length - i }, 'marks: cannot write, trying again');
        for (const mark of taken.slice(i)) this.set(mark, mark.isSilent);
        return;
      }
    }
  }
}

function keyOf({ conversationId, userId }: MarkPlace): string {
  return `${conversationId}/${userId}`;
}

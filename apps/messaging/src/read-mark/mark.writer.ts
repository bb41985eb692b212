import type { Mark, MarkStore } from './mark.store';

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
  private timer?: NodeJS.Timeout;
  private writing?: Promise<void>;

  constructor(private readonly options: MarkWriterOptions) {}

  set(mark: Mark, isSilent: boolean): void {
    const key = `${mark.conversationId}/${mark.userId}`;
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

  /** Writes what is collected; marks that cannot be written are kept for the next time. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.writing;
    this.writing = this.write().finally(() => (this.writing = undefined));
    await this.writing;
  }

  private async write(): Promise<void> {
    const taken = [...this.pending.values()];
    this.pending = new Map();
    for (let i = 0; i < taken.length; i += CHUNK) {
      const chunk = taken.slice(i, i + CHUNK);
      try {
        const moved = await this.options.store.advance(chunk);
        const told = new Set(
          chunk.filter((mark) => !mark.isSilent && moved.has(mark.userId)).map((mark) => mark.userId),
        );
        if (told.size > 0) this.options.notify([...told]);
      } catch (error) {
        this.options.warn(
          { error: String(error), marks: taken.length - i },
          'marks: cannot write, trying again',
        );
        for (const mark of taken.slice(i)) this.set(mark, mark.isSilent);
        return;
      }
    }
  }
}

import type { ConversationState, MessageState } from '../conversation/conversation.state';
import type { LogStore } from './log.store';

interface Waiter<V> {
  id: string;
  resolve(value: V | undefined): void;
  reject(error: unknown): void;
}

const IDS_MAX = 200;

/** Collects what is asked while a read is under way into the next one, so that a takeover does not ask a thousand times. */
class BatchReader<V> {
  private waiters: Waiter<V>[] = [];
  private isRunning = false;

  constructor(private readonly read: (ids: string[]) => Promise<Map<string, V>>) {}

  get(id: string): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ id, resolve, reject });
      if (this.isRunning) return;
      this.isRunning = true;
      setImmediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiters.length > 0) {
      const taken = this.waiters.splice(0, IDS_MAX);
      try {
        const found = await this.read([...new Set(taken.map(({ id }) => id))]);
        for (const { id, resolve } of taken) resolve(found.get(id));
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.isRunning = false;
  }
}

/** Reads what owners need into memory. */
export class Loader {
  private readonly conversations: BatchReader<ConversationState>;
  private readonly states: BatchReader<MessageState>;

  constructor(store: LogStore) {
    this.conversations = new BatchReader((ids) => store.conversations(ids));
    this.states = new BatchReader((ids) => store.messages(ids));
  }

  conversation(id: string): Promise<ConversationState | undefined> {
    return this.conversations.get(id);
  }

  async messages(ids: string[]): Promise<MessageState[]> {
    const found = await Promise.all(ids.map((id) => this.states.get(id)));
    return found.filter((state) => state !== undefined);
  }
}

import type { ConversationState, MessageState } from '../conversation/conversation.state';
import type { LogStore, MessageRef } from './log.store';

interface Waiter<K, V> {
  key: K;
  /** Under which the answer has it. */
  id: string;
  resolve(value: V | undefined): void;
  reject(error: unknown): void;
}

const KEYS_MAX = 200;

/** Collects what is asked while a read is under way into the next one, so that a takeover does not ask a thousand times. */
class BatchReader<K, V> {
  private waiters: Waiter<K, V>[] = [];
  private isRunning = false;

  constructor(private readonly read: (keys: K[]) => Promise<Map<string, V>>) {}

  get(key: K, id: string): Promise<V | undefined> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ key, id, resolve, reject });
      if (this.isRunning) return;
      this.isRunning = true;
      setImmediate(() => void this.run());
    });
  }

  private async run(): Promise<void> {
    while (this.waiters.length > 0) {
      const taken = this.waiters.splice(0, KEYS_MAX);
      try {
        const keys = new Map(taken.map(({ key }) => [JSON.stringify(key), key]));
        const found = await this.read([...keys.values()]);
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
  private readonly conversations: BatchReader<string, ConversationState>;
  private readonly states: BatchReader<MessageRef, MessageState>;

  constructor(store: LogStore) {
    this.conversations = new BatchReader((ids) => store.conversations(ids));
    this.states = new BatchReader((wanted) => store.messages(wanted));
  }

  conversation(id: string): Promise<ConversationState | undefined> {
    return this.conversations.get(id, id);
  }

  /**
   * Those of the messages that are in this conversation. Of one that is elsewhere nothing may come into memory: only loads
   * of the same conversation wait for each other, so its state could have changed since it was read.
   */
  async messages(conversationId: string, ids: string[]): Promise<MessageState[]> {
    const found = await Promise.all(
      ids.map((messageId) => this.states.get({ conversationId, messageId }, messageId)),
    );
    return found.filter((state) => state?.message.conversationId === conversationId) as MessageState[];
  }
}

import type { ConversationHead, ConversationState, MessageState } from '../conversation/conversation.state';
import type { LogStore, MessageRef } from './log.store';

type Answer<V> = V | undefined | PromiseLike<V | undefined>;

interface Waiter<K, V> {
  key: K;
  /** Under which the answer has it. */
  id: string;
  resolve(value: Answer<V>): void;
  reject(error: unknown): void;
}

/** Reads these, and answers each as soon as it is known, or with its own failure. What is not answered does not exist. */
type Reading<K, V> = (keys: K[], answer: (id: string, value: Answer<V>) => void) => Promise<void>;

const KEYS_MAX = 200;

/**
 * Members that one statement reads at most: few enough to be well within its time even where each lies on a page of its
 * own on a disk, and to hold up nothing else here when they arrive.
 */
export const MEMBERS_A_STATEMENT = 5000;

/** Collects what is asked while a read is under way into the next one, so that a takeover does not ask a thousand times. */
class BatchReader<K, V> {
  private waiters: Waiter<K, V>[] = [];
  private isRunning = false;

  constructor(private readonly read: Reading<K, V>) {}

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
      const byId = new Map<string, Waiter<K, V>[]>();
      for (const waiter of taken) {
        const same = byId.get(waiter.id);
        if (same) same.push(waiter);
        else byId.set(waiter.id, [waiter]);
      }
      // Whoever is answered hears nothing of what comes after.
      try {
        const keys = new Map(taken.map(({ key }) => [JSON.stringify(key), key]));
        await this.read([...keys.values()], (id, value) => {
          for (const { resolve } of byId.get(id) ?? []) resolve(value);
        });
        for (const { resolve } of taken) resolve(undefined);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.isRunning = false;
  }
}

/**
 * Reads what owners need into memory. A conversation of more members than a statement may read is read in several, beside the
 * others, which do not wait for it and do not fail with it. Members that came or went between these statements, appended by
 * somebody else, may be in it half. That does no harm: that row stands where the next one of this owner was to be, so nothing
 * that is decided on such a state is ever stored, and at the latest then it is dropped.
 */
export class Loader {
  private readonly conversations = new BatchReader<string, ConversationState>((ids, answer) =>
    this.readConversations(ids, answer),
  );
  /** One after the other: the log's connections are few, and everything else needs them, too. */
  private readonly large = new BatchReader<string, ConversationState>(async (ids, answer) => {
    for (const id of ids) await this.answerAll([id], () => this.readWhole(id), answer);
  });
  private readonly states = new BatchReader<MessageRef, MessageState>(async (wanted, answer) => {
    for (const [id, state] of await this.store.messages(wanted)) answer(id, state);
  });

  constructor(private readonly store: LogStore) {}

  /** With its members in no particular order. */
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

  private async readConversations(
    ids: string[],
    answer: (id: string, value: Answer<ConversationState>) => void,
  ): Promise<void> {
    const heads: ConversationHead[] = [];
    for (const [id, found] of await this.store.conversations(ids)) {
      if ('members' in found) answer(id, found);
      else if (found.memberCount > MEMBERS_A_STATEMENT) answer(id, this.large.get(id, id));
      else heads.push(found);
    }
    for (const group of groupsOf(heads)) {
      const groupIds = group.map(({ id }) => id);
      await this.answerAll(groupIds, () => this.withMembers(group), answer);
    }
  }

  /** Resolves when they are answered, be it with the failure of their own reading. */
  private async answerAll(
    ids: string[],
    read: () => Promise<Map<string, ConversationState>>,
    answer: (id: string, value: Answer<ConversationState>) => void,
  ): Promise<void> {
    const reading = read();
    for (const id of ids)
      answer(
        id,
        reading.then((states) => states.get(id)),
      );
    await reading.catch(() => undefined);
  }

  /** Read anew, its head too: who asks for it may know of more than was there when its size was found. */
  private async readWhole(id: string): Promise<Map<string, ConversationState>> {
    const found = (await this.store.conversations([id])).get(id);
    if (!found) return new Map();
    return 'members' in found ? new Map([[id, found]]) : this.withMembers([found]);
  }

  private async withMembers(heads: ConversationHead[]): Promise<Map<string, ConversationState>> {
    const ids = heads.map(({ id }) => id);
    const pages = await this.store.members(ids, MEMBERS_A_STATEMENT);
    const states = new Map<string, ConversationState>();
    for (const { memberCount: _counted, ...head } of heads) {
      const members: ConversationState['members'] = new Map();
      for (let page = pages.get(head.id) ?? []; ;) {
        for (const [userId, member] of page) members.set(userId, member);
        const last = page.at(MEMBERS_A_STATEMENT - 1);
        if (!last) break;
        page = (await this.store.members([head.id], MEMBERS_A_STATEMENT, last[0])).get(head.id) ?? [];
      }
      states.set(head.id, { ...head, members });
    }
    return states;
  }
}

/** Each of no more members than a statement reads. */
function groupsOf(heads: ConversationHead[]): ConversationHead[][] {
  const groups: ConversationHead[][] = [];
  let room = 0;
  for (const head of heads) {
    if (head.memberCount > room) {
      groups.push([]);
      room = MEMBERS_A_STATEMENT;
    }
    groups.at(-1)!.push(head);
    room -= head.memberCount;
  }
  return groups;
}

import type { Conversation, Member, Message } from '@parley/contracts';
import type { Environment } from '../environment';
import type { ConversationState, OwnState } from './conversation.state';
import type { Store } from './store';

const SAVE_AFTER_MS = 1_000;
const MESSAGES_MAX = 200;
const FORMAT = 1;

interface Saved {
  format: number;
  id: string;
  standing: number;
  shared?: Conversation;
  own?: OwnState;
  members: Member[];
  messages: Message[];
  low?: number;
  messageCount: number;
  lastMessage?: Message;
  lastActivityAt: string;
}

interface SavedAccount {
  format: number;
  epoch: string;
  accountCursor: string | null;
}

/** What is worth keeping of a conversation: where it stands, and its newest messages. */
function save(state: ConversationState): Saved {
  const { id, standing, shared, own, messageCount, lastMessage, lastActivityAt } = state;
  const low = state.low === undefined ? undefined : Math.max(state.low, messageCount - MESSAGES_MAX + 1);
  const messages = [...state.messages.values()].filter(({ number }) => number >= (low ?? 0));
  const members = [...state.members.values()];
  return {
    format: FORMAT,
    id,
    standing,
    shared,
    own,
    members,
    messages,
    low,
    messageCount,
    lastMessage,
    lastActivityAt,
  };
}

function restore(store: Store, saved: Saved): void {
  const state = store.newState(saved.id);
  const { standing, shared, own, low, messageCount, lastMessage, lastActivityAt } = saved;
  Object.assign(state, {
    standing,
    seen: standing,
    shared,
    own,
    low,
    messageCount,
    lastMessage,
    lastActivityAt,
  });
  for (const member of saved.members) state.members.set(member.userId, member);
  for (const message of saved.messages) state.messages.set(message.number, message);
  state.held ||= saved.messages.length > 0;
  store.restore(state);
}

/**
 * Keeps a store in storage, so that the next process shows something at once and syncs only what it missed. Writes lag
 * behind: conversations first, then the account's cursor, so that what was kept is never behind its cursor.
 */
export class Snapshots {
  private readonly changed = new Set<string>();
  private readonly gone = new Set<string>();
  /** What was kept before belongs to another epoch. */
  private isStale = false;
  /** It did not fit into storage. */
  private isFull = false;
  private timer?: unknown;
  private writing = Promise.resolve();

  constructor(
    private readonly environment: Environment,
    private readonly store: Store,
  ) {
    store.on('conversation', ({ conversationId }) => this.note(conversationId));
    store.on('message', ({ conversationId }) => this.note(conversationId));
    store.on('removed', ({ conversationId }) => {
      this.gone.add(conversationId);
      this.schedule();
    });
    store.on('reset', () => {
      this.forget();
      this.isStale = true;
    });
  }

  /** Puts back what was kept for this user. To be called before the first `ready`. */
  async load(userId: string): Promise<void> {
    this.forget();
    this.isFull = false;
    const { storage } = this.environment;
    const prefix = this.prefix(userId);
    const account = await this.read<SavedAccount>(`${prefix}account`);
    if (!account) return;
    const keys = await storage.keys(`${prefix}conversation.`);
    const conversations = await Promise.all(keys.map((key) => this.read<Saved>(key)));
    this.store.epoch = account.epoch;
    this.store.accountCursor = account.accountCursor;
    for (const saved of conversations) if (saved?.id !== undefined) restore(this.store, saved);
  }

  /** Deletes everything that was kept for this user. */
  async erase(userId: string): Promise<void> {
    this.forget();
    this.writing = this.writing.then(() => this.eraseAll(this.prefix(userId)));
    await this.writing;
  }

  /** Writes what has changed, now. */
  flush(): Promise<void> {
    const { store } = this;
    if (store.epoch === null || store.userId === '' || this.isFull) return this.writing;
    const prefix = this.prefix(store.userId);
    const account: SavedAccount = { format: FORMAT, epoch: store.epoch, accountCursor: store.accountCursor };
    const states = [...this.changed].map((id) => store.state(id)).filter((state) => state !== undefined);
    const texts = states.map((state) => [state.id, JSON.stringify(save(state))] as const);
    const gone = [...this.gone].filter((id) => !store.state(id));
    const isStale = this.isStale;
    this.forget();
    this.writing = this.writing
      .then(() => (isStale ? this.eraseAll(prefix) : undefined))
      .then(() => this.write(prefix, texts, gone, JSON.stringify(account)))
      .catch((error: unknown) => {
        this.environment.logger.warn('Could not keep the state.', { error: String(error) });
        return this.makeRoom(prefix);
      });
    return this.writing;
  }

  /**
   * What is kept here can be had again from the server; tokens and unsent messages, which share the storage, cannot. So what
   * does not fit is not kept at all until the next sign-in.
   */
  private async makeRoom(prefix: string): Promise<void> {
    this.forget();
    this.isFull = true;
    await this.eraseAll(prefix).catch((error: unknown) => {
      this.environment.logger.warn('Could not erase the state.', { error: String(error) });
    });
  }

  private async eraseAll(prefix: string): Promise<void> {
    const { storage } = this.environment;
    const keys = await storage.keys(prefix);
    await Promise.all(keys.map((key) => storage.delete(key)));
  }

  private async write(
    prefix: string,
    texts: (readonly [string, string])[],
    gone: string[],
    account: string,
  ): Promise<void> {
    const { storage } = this.environment;
    await Promise.all(texts.map(([id, text]) => storage.set(`${prefix}conversation.${id}`, text)));
    await Promise.all(gone.map((id) => storage.delete(`${prefix}conversation.${id}`)));
    await storage.set(`${prefix}account`, account);
  }

  private async read<T extends { format: number }>(key: string): Promise<T | undefined> {
    const text = await this.environment.storage.get(key);
    try {
      const value = JSON.parse(text ?? 'null') as T | null;
      return value?.format === FORMAT ? value : undefined;
    } catch {
      return undefined;
    }
  }

  private prefix(userId: string): string {
    return `state.${userId}.`;
  }

  private note(conversationId: string): void {
    this.changed.add(conversationId);
    this.schedule();
  }

  private schedule(): void {
    if (this.isFull) return;
    this.timer ??= this.environment.clock.setTimeout(() => void this.flush(), SAVE_AFTER_MS);
  }

  private forget(): void {
    this.environment.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.isStale = false;
    this.changed.clear();
    this.gone.clear();
  }
}

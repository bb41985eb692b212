import type {
  Conversation,
  Member,
  Message,
  MessagePage,
  MyConversation,
  ServerPayload,
  SyncPayload,
  SyncResult,
} from '@parley/contracts';
import { limits } from '@parley/contracts';
import { Emitter } from '../emitter';
import { ConversationState, type Changes } from './conversation.state';
import { membersOf, messagesOf, viewOf, type ConversationView } from './conversation.view';
import type { DurableEvent } from './durable-event';

export interface StoreEvents {
  /** A message came in, or a held one changed. Once per message and version. */
  message: { conversationId: string; message: Message };
  /** Summary, members, marks or standing of a conversation changed, or it appeared. */
  conversation: { conversationId: string };
  /** The caller is no member any more, or the conversation was deleted. */
  removed: { conversationId: string };
  /** Everything was dropped: another epoch, or another user. */
  reset: Record<string, never>;
  /** Something is missing: a sync is due. */
  behind: Record<string, never>;
}

/** What one call of `sync` asks, and what must still hold when its answer comes. */
export interface SyncRequest {
  payload: SyncPayload;
  /** Conversations as they were when asked; one that was dropped or added since is not touched by the answer. */
  asked: ReadonlyMap<string, ConversationState>;
  known: ReadonlySet<ConversationState>;
  /** Asked for only to learn whether the caller is a member. */
  doubted: ReadonlySet<string>;
  accountStamp: number;
  /** The store was not reset since. */
  generation: number;
}

/**
 * Everything that this client knows of its user's conversations. Pure memory: what comes from the server is put in by
 * `apply…`, and what is missing can be asked for with `nextSync`.
 */
export class Store extends Emitter<StoreEvents> {
  epoch: string | null = null;
  accountCursor: string | null = null;
  userId = '';
  private conversations = new Map<string, ConversationState>();
  private generation = 0;
  /** Rises with everything that says that the account part changed; `synced` is what an answer has covered. */
  private account = { stamp: 1, synced: 0 };
  /** Removed since the last question, so that an answer from before does not bring the conversation back. */
  private readonly removed = new Set<string>();
  /**
   * Removed by an event, which may have been overtaken by an answer from after a new addition: `sync` is asked whether
   * the caller is a member.
   */
  private readonly doubted = new Set<string>();
  /** Whether the account part is being read from the beginning. */
  private readsAll = true;
  /** Conversations as they were when that began. */
  private knownBefore: ReadonlySet<ConversationState> = new Set();

  constructor(
    private readonly holdsAll: boolean,
    private readonly messagesMax: number,
  ) {
    super();
  }

  /** Forgets everything; nothing that is asked already applies any more. */
  reset(userId: string): void {
    this.generation += 1;
    this.userId = userId;
    this.epoch = null;
    this.accountCursor = null;
    this.conversations = new Map();
    this.account = { stamp: 1, synced: 0 };
    this.removed.clear();
    this.doubted.clear();
    this.readsAll = true;
    this.emit('reset', {});
  }

  conversation(id: string): ConversationView | undefined {
    const state = this.conversations.get(id);
    return state && viewOf(state);
  }

  /** Most recently active first. */
  list(): ConversationView[] {
    return [...this.conversations.values()]
      .map(viewOf)
      .filter((view) => view !== undefined)
      .sort((a, b) => b.lastActivityAt.localeCompare(a.lastActivityAt) || b.id.localeCompare(a.id));
  }

  messages(id: string): Message[] {
    const state = this.conversations.get(id);
    return state ? messagesOf(state) : [];
  }

  members(id: string): Member[] {
    const state = this.conversations.get(id);
    return state ? membersOf(state) : [];
  }

  /** For the parts of the client that page, persist and mark; not to be changed from outside. */
  state(id: string): ConversationState | undefined {
    return this.conversations.get(id);
  }

  states(): Iterable<ConversationState> {
    return this.conversations.values();
  }

  applyReady(ready: ServerPayload<'ready'>): void {
    if (ready.user.id !== this.userId || (this.epoch !== null && this.epoch !== ready.epoch)) {
      this.reset(ready.user.id);
    }
    this.epoch = ready.epoch;
    this.account.stamp += 1;
    for (const state of this.conversations.values()) state.mustSync = true;
    for (const mine of ready.conversations) this.applyMine(mine);
    this.emit('behind', {});
  }

  applyEvent(event: DurableEvent): void {
    const { conversationId } = event.payload;
    let state = this.conversations.get(conversationId);
    if (!state) {
      // Added meanwhile: its own part comes with the account's.
      state = this.create(conversationId);
      this.account.stamp += 1;
    }
    this.tell(state, state.applyEvent(event));
  }

  applyRemoved(conversationId: string): void {
    this.removed.add(conversationId);
    this.doubted.add(conversationId);
    this.drop(conversationId);
    this.emit('behind', {});
  }

  applyPosition(versions: Record<string, number>): void {
    for (const [id, version] of Object.entries(versions)) {
      const state = this.conversations.get(id) ?? this.create(id);
      if (!state.own) this.account.stamp += 1;
      state.hear(version);
    }
    this.emit('behind', {});
  }

  applyAccountChanged(): void {
    this.account.stamp += 1;
    this.emit('behind', {});
  }

  /** The message in the ack of an own write. One of a conversation that was left since changes nothing. */
  applyAck(message: Message): void {
    const state = this.conversations.get(message.conversationId);
    if (state) this.tell(state, state.applyMessage(message));
  }

  /** The answer to creating or joining; the own part comes by sync. */
  applyCreated(conversation: Conversation): void {
    const state = this.conversations.get(conversation.id) ?? this.create(conversation.id);
    this.account.stamp += 1;
    this.tell(state, state.applyShared(conversation));
  }

  /** A page of older messages; `Pager` says when it may be applied. */
  applyPage(conversationId: string, page: MessagePage): void {
    const state = this.conversations.get(conversationId);
    if (state) this.tell(state, state.applyPage(page));
  }

  /** Moves the own mark here at once. Says whether it moved. */
  markRead(conversationId: string, number: number): boolean {
    const moved = this.conversations.get(conversationId)?.markRead(number) ?? false;
    if (moved) this.emit('conversation', { conversationId });
    return moved;
  }

  /** Wants all messages of a conversation from now on. */
  hold(conversationId: string): void {
    const state = this.conversations.get(conversationId);
    if (!state || state.held) return;
    state.held = true;
    this.emit('behind', {});
  }

  /** Takes over a conversation as it was persisted. */
  restore(state: ConversationState): void {
    this.conversations.set(state.id, state);
  }

  newState(id: string): ConversationState {
    return new ConversationState(id, this.userId, this.holdsAll);
  }

  /**
   * What to ask next, or undefined when nothing is missing now. `waitMs` says when something will be due. One question at
   * a time: asking is what answers are measured against.
   */
  nextSync(now: number): SyncRequest | { waitMs: number } | undefined {
    const behind = [...this.conversations.values()].filter((state) => state.behind);
    const due = behind.filter((state) => state.askAt(now) <= now).slice(0, limits.syncConversationsMax);
    const doubted = [...this.doubted].slice(0, limits.syncConversationsMax - due.length);
    if (due.length + doubted.length === 0 && this.account.synced === this.account.stamp) {
      if (behind.length === 0) return undefined;
      return { waitMs: Math.min(...behind.map((state) => state.askAt(now))) - now };
    }
    this.removed.clear();
    if (this.accountCursor === null) this.knownBefore = new Set(this.conversations.values());
    return {
      payload: {
        epoch: this.epoch,
        accountCursor: this.accountCursor,
        versions: Object.fromEntries([
          ...doubted.map((id) => [id, 0] as const),
          ...due.map((state) => [state.id, state.standing] as const),
        ]),
      },
      asked: new Map(due.map((state) => [state.id, state])),
      known: new Set(this.conversations.values()),
      doubted: new Set(doubted),
      accountStamp: this.account.stamp,
      generation: this.generation,
    };
  }

  /** Applies an answer of `sync`. Says whether it brought this client any further. */
  applySync(request: SyncRequest, result: SyncResult, now: number): boolean {
    if (request.generation !== this.generation) return true;
    if (this.epoch !== null && result.epoch !== this.epoch) {
      this.reset(this.userId);
      this.epoch = result.epoch;
      return true;
    }
    this.epoch = result.epoch;
    let progress = this.applyAccount(request, result.account);
    for (const id of result.removed) {
      const state = this.conversations.get(id);
      if (state && state === request.asked.get(id)) progress = this.drop(id);
      if (!this.removed.has(id)) progress = this.doubted.delete(id) || progress;
    }
    for (const delta of result.conversations) {
      if (request.doubted.has(delta.id) && !this.removed.has(delta.id) && this.doubted.delete(delta.id)) {
        // A member after all; what there is will be asked for.
        if (!this.conversations.has(delta.id)) this.create(delta.id);
        progress = true;
      }
      const state = this.conversations.get(delta.id);
      if (!state || state !== request.asked.get(delta.id)) continue;
      const stood = state.standing;
      const mustSync = state.mustSync;
      this.tell(state, state.applyDelta(delta));
      if (delta.retryAfterMs !== undefined) state.notBefore = now + delta.retryAfterMs;
      progress ||= state.standing !== stood || mustSync !== state.mustSync;
      if (delta.reset && state.hidesUnread) this.rereadAccount();
    }
    return progress;
  }

  private applyAccount(request: SyncRequest, page: SyncResult['account']): boolean {
    // An entry that contradicts what an event said while this answer was under way cannot be trusted: ask again from the
    // same cursor.
    let contradicted = false;
    for (const change of page.changes) {
      const id = change.conversationId;
      const state = this.conversations.get(id);
      if (change.state === 'joined') {
        if (this.removed.has(id)) contradicted = true;
        else this.applyMine(change.conversation);
      } else if (state) {
        if (request.known.has(state)) this.drop(id);
        else contradicted = true;
      } else if (!this.removed.has(id)) {
        // The account is read last: whatever the view says of it in this answer is from before.
        this.doubted.delete(id);
      }
    }
    if (contradicted) return true;
    const moved = page.cursor !== this.accountCursor || page.changes.length > 0;
    this.accountCursor = page.cursor;
    if (page.more) return moved;
    return this.completeAccount(request) || moved;
  }

  /** Read marks may have moved without a change of the account: with an own message that a reset left out. */
  private rereadAccount(): void {
    this.accountCursor = null;
    this.readsAll = true;
    this.account.stamp += 1;
  }

  /** The account part was read to its end. */
  private completeAccount(request: SyncRequest): boolean {
    const unlisted = [...this.conversations.values()].filter(
      (state) => !state.own && request.known.has(state),
    );
    // All of the account does not have it: something from before a removal had brought it back.
    const gone = this.readsAll ? unlisted.filter((state) => this.knownBefore.has(state)) : [];
    for (const { id } of gone) this.drop(id);
    if (gone.length < unlisted.length) {
      // A member, yet the entry that says so lies before the cursor: a removal that came late had dropped it.
      this.rereadAccount();
      return true;
    }
    this.readsAll = false;
    if (this.account.synced >= request.accountStamp) return gone.length > 0;
    this.account.synced = request.accountStamp;
    return true;
  }

  private drop(conversationId: string): boolean {
    const dropped = this.conversations.delete(conversationId);
    if (dropped) this.emit('removed', { conversationId });
    return dropped;
  }

  private applyMine(mine: MyConversation): void {
    const state = this.conversations.get(mine.id) ?? this.create(mine.id);
    this.tell(state, state.applyMine(mine));
  }

  private create(id: string): ConversationState {
    const state = this.newState(id);
    this.conversations.set(id, state);
    return state;
  }

  private tell(state: ConversationState, changes: Changes): void {
    state.trim(this.messagesMax);
    for (const message of changes.messages) this.emit('message', { conversationId: state.id, message });
    if (changes.summary) this.emit('conversation', { conversationId: state.id });
    if (state.behind || this.account.synced !== this.account.stamp) this.emit('behind', {});
  }
}

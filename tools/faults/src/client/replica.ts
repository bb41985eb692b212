import type {
  ConversationDelta,
  Message,
  Role,
  ServerPayload,
  SyncPayload,
  SyncResult,
} from '@parley/contracts';
import type { HeldConversation } from '../checker/observations';

/** The durable events that change a conversation's state, as their payloads come in. */
export type DurableEvent =
  | 'message:created'
  | 'message:updated'
  | 'message:deleted'
  | 'reaction:changed'
  | 'conversation:created'
  | 'conversation:updated'
  | 'conversation:removed'
  | 'member:changed';

interface Held {
  /** Where the client stands: a version that sync gave it or that it reached from there by consecutive events. */
  version: number;
  /** The highest version that it has heard of. */
  wanted: number;
  messages: Map<string, Message>;
  members: Map<string, Role>;
  completeAbove: number;
}

/**
 * One client's copy of its conversations, kept by the rules of the contract and nothing else: apply what follows at
 * once, sync whatever is behind, drop what is removed. It is written apart from the SDK, as a second reading of the
 * same rules.
 */
export class Replica {
  private epoch: string | null = null;
  private cursor: string | null = null;
  private mustSync = false;
  private readonly conversations = new Map<string, Held>();

  constructor(private readonly userId: string) {}

  ready(payload: ServerPayload<'ready'>): void {
    this.enter(payload.epoch);
    for (const { id, version } of payload.conversations) this.hear(id, version);
    this.mustSync = true;
  }

  /** Something that belongs to the user alone changed. */
  accountChanged(): void {
    this.mustSync = true;
  }

  /** A version that was seen in an answer or in `position`. */
  hear(conversationId: string, version: number): void {
    const held = this.hold(conversationId);
    held.wanted = Math.max(held.wanted, version);
  }

  event<E extends DurableEvent>(name: E, payload: ServerPayload<E>): void {
    const { conversationId, version } = payload;
    if (name === 'conversation:removed') {
      this.conversations.delete(conversationId);
      return;
    }
    const held = this.hold(conversationId);
    held.wanted = Math.max(held.wanted, version);
    // Version 0 is not a place from which events count: a newcomer begins with a sync.
    if (held.version === 0 || version !== held.version + 1) return;
    if (name === 'member:changed') applyMember(held, payload as ServerPayload<'member:changed'>);
    else if ('message' in payload) applyMessage(held, payload.message as Message);
    held.version = version;
  }

  get needsSync(): boolean {
    return this.mustSync || [...this.conversations.values()].some((held) => held.version < held.wanted);
  }

  syncRequest(): SyncPayload {
    this.mustSync = false;
    const versions = [...this.conversations].map(([id, held]) => [id, held.version] as const);
    return { epoch: this.epoch, accountCursor: this.cursor, versions: Object.fromEntries(versions) };
  }

  /** The answer to `syncRequest` was lost. */
  syncFailed(): void {
    this.mustSync = true;
  }

  /** Applies the answer to a request. Returns how long to wait before the next request, in milliseconds, where it says so. */
  synced(result: SyncResult, { versions }: Pick<SyncPayload, 'versions'>): number {
    this.enter(result.epoch);
    for (const id of result.removed) this.conversations.delete(id);
    for (const change of result.account.changes) {
      if (change.state === 'left') this.conversations.delete(change.conversationId);
      else this.hear(change.conversationId, change.conversation.version);
    }
    this.cursor = result.account.cursor;
    if (result.account.more) this.mustSync = true;
    let waitMs = 0;
    for (const delta of result.conversations) {
      const held = this.conversations.get(delta.id);
      // What was removed while the answer was under way stays removed; what came anew since begins from nothing.
      if (!held || (!delta.reset && held.version < (versions[delta.id] ?? 0))) continue;
      applyDelta(held, delta);
      if (!delta.more) continue;
      this.mustSync = true;
      waitMs = Math.max(waitMs, delta.retryAfterMs ?? 0);
    }
    return waitMs;
  }

  /** Where it stands in a conversation; undefined when it does not hold it. */
  versionOf(conversationId: string): number | undefined {
    return this.conversations.get(conversationId)?.version;
  }

  /** All that is held; members only for the conversations of `withMembers`. */
  held(withMembers: ReadonlySet<string>): HeldConversation[] {
    return [...this.conversations].map(([conversationId, held]) => ({
      userId: this.userId,
      conversationId,
      version: held.version,
      messages: [...held.messages.values()],
      members: withMembers.has(conversationId)
        ? [...held.members].map(([userId, role]) => ({ userId, role }))
        : null,
      completeAbove: held.completeAbove,
    }));
  }

  private enter(epoch: string): void {
    if (this.epoch === epoch) return;
    this.epoch = epoch;
    this.cursor = null;
    this.mustSync = true;
    this.conversations.clear();
  }

  private hold(conversationId: string): Held {
    const known = this.conversations.get(conversationId);
    if (known) return known;
    const held = { version: 0, wanted: 0, messages: new Map(), members: new Map(), completeAbove: 0 };
    this.conversations.set(conversationId, held);
    return held;
  }
}

function applyMessage(held: Held, message: Message): void {
  if ((held.messages.get(message.id)?.version ?? 0) <= message.version)
    held.messages.set(message.id, message);
}

function applyMember(held: Held, { change, member }: ServerPayload<'member:changed'>): void {
  if (change === 'removed') held.members.delete(member.userId);
  else held.members.set(member.userId, member.role);
}

/** Events that came while the answer was under way may have carried the client beyond the page. */
function applyDelta(held: Held, delta: ConversationDelta): void {
  held.wanted = Math.max(held.wanted, held.version, delta.reset ? 0 : delta.head);
  if (delta.reset) {
    held.messages.clear();
    held.members.clear();
    const numbers = delta.messages.map((message) => message.number);
    held.completeAbove =
      numbers.length > 0 ? Math.min(...numbers) - 1 : (delta.conversation?.messageCount ?? 0);
    held.version = 0;
  }
  const isBeyond = held.version > delta.version;
  for (const message of delta.messages) applyMessage(held, message);
  if (isBeyond) return;
  for (const member of delta.members) held.members.set(member.userId, member.role);
  for (const userId of delta.membersRemoved) held.members.delete(userId);
  held.version = delta.version;
}

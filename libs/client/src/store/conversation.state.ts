import type {
  Conversation,
  ConversationDelta,
  Member,
  Message,
  MessagePage,
  MyConversation,
} from '@parley/contracts';
import type { DurableEvent } from './durable-event';

/** Events that came too early are kept for so long; beyond that, `sync` brings what they said. */
const EARLY_EVENTS_MAX = 500;

/**
 * How long, in ms, a change may be known from elsewhere (an ack, `position`, a list) before its event comes: both left the
 * server together and take different ways. Only then is it asked for.
 */
export const EVENT_GRACE_MS = 1_000;

/** What is the member's alone. */
export interface OwnState {
  role: MyConversation['role'];
  firstNumber: number;
  readNumber: number;
  unreadFrom: number | null;
  notifications: MyConversation['notifications'];
  directUserId?: string;
  /** The server's count, and the number up to which it counted. */
  mentions: { count: number; upTo: number };
}

/** What one step changed, so that listeners hear of each change once. */
export interface Changes {
  messages: Message[];
  summary: boolean;
}

/**
 * One conversation as this client knows it, and where it stands.
 *
 * It stands at a version only because `sync` put it there, or because it got there from such a place by consecutive
 * events. `seen` is the highest version heard of anywhere; while that is higher, something is missing. Messages carry
 * the version of their last change, so they may be taken from anywhere, in any order: the newest wins. Everything else
 * is taken strictly in order.
 */
export class ConversationState {
  /** 0 until the first `sync`. */
  standing = 0;
  seen = 0;
  /** Asked for whatever `seen` says: after `ready`, and while the server says `more`. */
  mustSync = true;
  /** Not to be asked for before this time. */
  notBefore = 0;
  shared?: Conversation;
  own?: OwnState;
  readonly members = new Map<string, Member>();
  /** By number. May hold single old ones below `low`, which are not shown. */
  readonly messages = new Map<number, Message>();
  /** From here on every message is held, once nothing is missing; undefined until there were any. */
  low?: number;
  messageCount = 0;
  lastMessage?: Message;
  lastActivityAt = '';
  /** How many were held when a page was last asked for. */
  private loaded = 0;
  private readonly early = new Map<number, DurableEvent>();
  /** When it is no longer believed that events will come by themselves; undefined while nothing is missing. */
  private overdueAt?: number;

  constructor(
    readonly id: string,
    readonly userId: string,
    /** Whether all its messages from `low` on are wanted, or only the summary. */
    public held: boolean,
  ) {}

  get behind(): boolean {
    return this.held && (this.mustSync || this.standing === 0 || this.standing < this.seen);
  }

  /**
   * When to ask for what is missing, given that something is. An event that came before its predecessors shows that those
   * are lost; what was only heard of elsewhere may be on its way.
   */
  askAt(now: number): number {
    const isLost = this.mustSync || this.standing === 0 || this.early.size > 0;
    if (isLost) return this.notBefore;
    this.overdueAt ??= now + EVENT_GRACE_MS;
    return Math.max(this.notBefore, this.overdueAt);
  }

  /** Whether messages after the read mark lie before those that are held. */
  get hidesUnread(): boolean {
    return this.own !== undefined && (this.low ?? 1) > this.own.readNumber + 1;
  }

  /** Heard of a version: in an event, an ack, `position`, `ready` or a list. */
  hear(version: number): void {
    this.seen = Math.max(this.seen, version);
  }

  applyEvent(event: DurableEvent): Changes {
    const changes: Changes = { messages: [], summary: false };
    const { version } = event.payload;
    this.hear(version);
    if ('message' in event.payload) this.takeMessage(event.payload.message, changes);
    if (this.standing === 0 || version <= this.standing) return changes;
    if (version > this.standing + 1) {
      if (this.early.size < EARLY_EVENTS_MAX) this.early.set(version, event);
      return changes;
    }
    this.step(event, changes);
    this.catchUp(changes);
    return changes;
  }

  /** One page of `sync`. */
  applyDelta(delta: ConversationDelta): Changes {
    const changes: Changes = { messages: [], summary: true };
    this.mustSync = delta.more;
    this.hear(delta.version);
    if (delta.reset) this.drop();
    // Events may have gone further while the page was under way. It then tells nothing new, and its members, which
    // carry no version, could be older than ours.
    const further = delta.reset || delta.version > this.standing;
    for (const message of delta.messages) this.takeMessage(message, changes);
    if (!further) return changes;

    if (delta.conversation) this.takeShared(delta.conversation);
    if (delta.reset && !delta.more) {
      const numbers = delta.messages.map((message) => message.number);
      this.low = numbers.length > 0 ? Math.min(...numbers) : this.messageCount + 1;
    }
    for (const member of delta.members) this.members.set(member.userId, member);
    for (const userId of delta.membersRemoved) this.members.delete(userId);
    this.standing = delta.version;
    this.catchUp(changes);
    return changes;
  }

  /** An entry of `ready`, of a list or of the account part of `sync`. Says how far to sync, never where one stands. */
  applyMine(mine: MyConversation): Changes {
    const changes: Changes = { messages: [], summary: true };
    this.hear(mine.version);
    this.takeShared(mine);
    if (mine.lastActivityAt > this.lastActivityAt) this.lastActivityAt = mine.lastActivityAt;
    this.own = {
      role: mine.role,
      firstNumber: mine.firstNumber,
      readNumber: Math.max(mine.readNumber, this.own?.readNumber ?? 0),
      unreadFrom: mine.unreadFrom,
      notifications: mine.notifications,
      directUserId: mine.directUserId,
      mentions: { count: mine.unreadMentions, upTo: mine.messageCount },
    };
    this.forgetBelow(mine.firstNumber);
    if (mine.lastMessage) this.takeMessage(mine.lastMessage, changes);
    return changes;
  }

  /** The shared part from an answer. Says how far to sync. */
  applyShared(conversation: Conversation): Changes {
    this.takeShared(conversation);
    return { messages: [], summary: true };
  }

  /** A page of older messages, read at `standing` or later, that ends right below `low`. */
  applyPage(page: MessagePage): Changes {
    const changes: Changes = { messages: [], summary: false };
    for (const message of page.items) this.takeMessage(message, changes);
    const first = page.items[0]?.number ?? this.low ?? 1;
    this.loaded = this.messages.size;
    this.low = page.hasBefore ? Math.min(this.low ?? first, first) : (this.own?.firstNumber ?? 1);
    return changes;
  }

  /** Keeps only the newest messages, and those that were asked for; older ones can be loaded again. */
  trim(keep: number): void {
    const most = Math.max(keep, this.loaded);
    // Not at every message: forgetting walks over all of them.
    if (this.messages.size > most * 1.25) this.forgetBelow(this.messageCount - most + 1);
  }

  /** The answer to an own write. */
  applyMessage(message: Message): Changes {
    const changes: Changes = { messages: [], summary: false };
    this.takeMessage(message, changes);
    return changes;
  }

  /** As on the server, a mark beyond the last message means the last message: what comes later is unread. */
  markRead(upTo: number): boolean {
    const { own } = this;
    const number = Math.min(upTo, this.messageCount);
    if (!own || number <= own.readNumber) return false;
    own.readNumber = number;
    // As the server does, which tells nobody of what an own message moves.
    if (own.unreadFrom !== null && own.unreadFrom <= number) own.unreadFrom = null;
    return true;
  }

  private step(event: DurableEvent, changes: Changes): void {
    const { name, payload } = event;
    // Once more: a reset may have dropped it since it came.
    if ('message' in payload) this.takeMessage(payload.message, changes);
    if (name === 'conversation:created' || name === 'conversation:updated')
      this.takeShared(payload.conversation);
    if (name === 'member:changed') {
      if (payload.change === 'removed') this.members.delete(payload.member.userId);
      else this.members.set(payload.member.userId, payload.member);
    }
    this.standing = payload.version;
    changes.summary = true;
  }

  /** Applies the early events that are due now. */
  private catchUp(changes: Changes): void {
    for (const version of this.early.keys()) if (version <= this.standing) this.early.delete(version);
    for (let next = this.early.get(this.standing + 1); next; next = this.early.get(this.standing + 1)) {
      this.early.delete(next.payload.version);
      this.step(next, changes);
    }
    if (this.standing >= this.seen) this.overdueAt = undefined;
  }

  private takeShared(conversation: Conversation): void {
    const { id, type, title, topic, visibility, archived, createdBy, createdAt, version, memberCount } =
      conversation;
    const { messageCount } = conversation;
    this.hear(version);
    this.messageCount = Math.max(this.messageCount, messageCount);
    if (this.shared && version < this.shared.version) return;
    this.shared = {
      id,
      type,
      title,
      topic,
      visibility,
      archived,
      createdBy,
      createdAt,
      version,
      messageCount,
      memberCount,
    };
    if (createdAt > this.lastActivityAt) this.lastActivityAt = createdAt;
  }

  private takeMessage(message: Message, changes: Changes): void {
    this.hear(message.version);
    this.messageCount = Math.max(this.messageCount, message.number);
    // Of a membership that ended, come late.
    if (message.number < (this.own?.firstNumber ?? 1)) return;
    if (
      !this.lastMessage ||
      message.number > this.lastMessage.number ||
      this.isNewer(message, this.lastMessage)
    ) {
      this.lastMessage = message;
      if (message.createdAt > this.lastActivityAt) this.lastActivityAt = message.createdAt;
      changes.summary = true;
    }
    if (message.senderId === this.userId) this.markRead(message.number);
    if (!this.held) return;
    const known = this.messages.get(message.number);
    if (known && known.version >= message.version) return;
    this.messages.set(message.number, message);
    this.low ??= this.own?.firstNumber ?? 1;
    changes.messages.push(message);
  }

  private forgetBelow(number: number): void {
    for (const held of this.messages.keys()) if (held < number) this.messages.delete(held);
    if (this.low !== undefined) this.low = Math.max(this.low, number);
    if (this.lastMessage && this.lastMessage.number < number) this.lastMessage = undefined;
  }

  private isNewer(message: Message, than: Message): boolean {
    return message.number === than.number && message.version > than.version;
  }

  private drop(): void {
    this.standing = 0;
    this.messages.clear();
    this.members.clear();
    this.shared = undefined;
    this.low = undefined;
    this.lastMessage = undefined;
    this.messageCount = 0;
  }
}

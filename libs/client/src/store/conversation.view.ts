import type { Conversation, Member, Message } from '@parley/contracts';
import type { ConversationState, OwnState } from './conversation.state';

/** A conversation as an application shows it: a snapshot, never changed afterwards. */
export interface ConversationView extends Omit<Conversation, 'version'>, Omit<OwnState, 'mentions'> {
  /** Where this client stands; 0 before the first sync. */
  version: number;
  unread: number;
  /** Exact where every unread message is held, else counted from what the server last said. */
  unreadMentions: number;
  lastMessage?: Message;
  /** RFC 3339; for sorting. */
  lastActivityAt: string;
  /** False while something is known to be missing. */
  current: boolean;
}

function unreadMentions(state: ConversationState, own: OwnState): number {
  const counts = (message: Message) =>
    message.number > own.readNumber &&
    message.senderId !== state.userId &&
    message.mentions.includes(state.userId);
  const held = [...state.messages.values()];
  // Exact where every unread message is held; else the server's count and what came after it.
  if (state.low !== undefined && state.low <= own.readNumber + 1) return held.filter(counts).length;
  if (own.readNumber >= own.mentions.upTo) return held.filter(counts).length;
  const later = held.filter((message) => message.number > own.mentions.upTo && counts(message));
  return own.mentions.count + later.length;
}

/** Undefined until enough is known: the shared part and the member's own. */
export function viewOf(state: ConversationState): ConversationView | undefined {
  const { shared, own } = state;
  if (!shared || !own) return undefined;
  const { mentions: _, ...mine } = own;
  return {
    ...shared,
    ...mine,
    role: state.members.get(state.userId)?.role ?? own.role,
    version: state.standing,
    messageCount: state.messageCount,
    memberCount: shared.type === 'channel' || state.standing === 0 ? shared.memberCount : state.members.size,
    unread: Math.max(0, state.messageCount - own.readNumber),
    unreadMentions: unreadMentions(state, own),
    lastMessage: state.lastMessage,
    lastActivityAt: state.lastActivityAt,
    current: !state.behind,
  };
}

/** Held messages in rising number, without gaps once the conversation is current. */
export function messagesOf(state: ConversationState): Message[] {
  const low = state.low ?? 0;
  return [...state.messages.values()]
    .filter((message) => message.number >= low)
    .sort((a, b) => a.number - b.number);
}

/** Complete for direct conversations and groups; in channels only those heard of, the rest is paged. */
export function membersOf(state: ConversationState): Member[] {
  return [...state.members.values()].sort(
    (a, b) => a.joinedAt.localeCompare(b.joinedAt) || a.userId.localeCompare(b.userId),
  );
}

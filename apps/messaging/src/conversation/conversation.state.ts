import type { Conversation, ConversationType, Member, Message, Role } from '@parley/contracts';

export interface MemberState {
  role: Role;
  joinedAt: string;
}

/** What the owner of a partition keeps in memory about one of its conversations; uncommitted changes included. */
export interface ConversationState {
  id: string;
  type: ConversationType;
  title: string | null;
  topic: string | null;
  visibility: 'private' | 'public';
  archived: boolean;
  createdBy: string | null;
  createdAt: string;
  version: number;
  messageCount: number;
  lastActivityAt: string;
  lastMessageId: string | null;
  isDeleted: boolean;
  /** Of the request that created it, hex: the same Idempotency-Key with another request is refused. */
  requestHash: string;
  members: Map<string, MemberState>;
}

/** A conversation's shared part as it is projected into the store; a copy that does not change. */
export type ConversationHead = Omit<ConversationState, 'members'> & { memberCount: number };

/** A message at its latest state, with every reactor and the hash of the request that sent it. */
export interface MessageState {
  message: Message;
  /** Emoji to everybody who reacted, in order; undefined while nobody has. */
  reactors?: Record<string, string[]>;
  requestHash: string;
}

export function toConversation(state: ConversationState): Conversation {
  return {
    id: state.id,
    type: state.type,
    title: state.title,
    topic: state.topic,
    visibility: state.visibility,
    archived: state.archived,
    createdBy: state.createdBy,
    createdAt: state.createdAt,
    version: state.version,
    messageCount: state.messageCount,
    memberCount: state.members.size,
  };
}

export function toMember(userId: string, { role, joinedAt }: MemberState): Member {
  return { userId, role, joinedAt };
}

export function toHead({ members, ...head }: ConversationState): ConversationHead {
  return { ...head, memberCount: members.size };
}

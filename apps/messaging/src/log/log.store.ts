import type {
  ConversationHead,
  ConversationState,
  MemberState,
  MessageState,
} from '../conversation/conversation.state';

/** Connections to PostgreSQL that an owner has for the log alone, or for its projection. */
export const LOG_CONNECTIONS = 3;

/** Members of a conversation that are read together with it, at most. */
export const MEMBERS_WITH_CONVERSATION = 25;

/** A member, as the state of its conversation has it. */
export type MemberEntry = [userId: string, member: MemberState];

/** Somebody came, changed role or went. */
export interface MembershipChange {
  userId: string;
  /** Null when gone. */
  role: 'owner' | 'admin' | 'member' | null;
  joinedAt: string;
  /** Where the read mark starts: the message count when joining. */
  readBase: number;
}

export interface MentionChange {
  /** Of the message. */
  number: number;
  /** Members whom it mentions only now. */
  added: string[];
  /** Users whom it mentioned before. */
  gone: string[];
}

/** One change of one conversation: a row of the log, and what it means for the projection. */
export interface LogRow {
  partition: number;
  position: number;
  term: number;
  conversationId: string;
  version: number | null;
  number: number | null;
  messageId: string | null;
  senderId: string | null;
  clientMessageId: string | null;
  /** Of the request that sent the message; on every row of that message. */
  requestHash: string | null;
  at: string;
  /** The LogEvent as its consumers get it, serialised once. */
  event: string;
  /** Every reactor by emoji, serialised; null while there is none. */
  reactors: string | null;
  /** The conversation after this row, without its members. */
  conversation: ConversationHead;
  memberships: MembershipChange[];
  /** Members mentioned by a new message. */
  mentions: string[];
  /** What an edit or a deletion did to the mentions of a message; absent where nothing. */
  mentionChange?: MentionChange;
}

/** Another row stands at a position of the append: somebody else wrote, or an earlier append without an answer did. */
export class PositionTaken extends Error {
  constructor(readonly partition: number) {
    super(`another row stands at a position of partition ${partition}`);
  }
}

/** The log knows a client id of the append already, from another row. */
export class ClientIdTaken extends Error {
  constructor(
    readonly conversationId: string,
    readonly senderId: string,
    readonly clientMessageId: string,
  ) {
    super(`the log knows client id ${clientMessageId} already`);
  }
}

/** The store will not have these rows: certainly nothing of them is stored, and asked again it would say the same. */
export class AppendRefused extends Error {}

/**
 * The log lacks a row that its projection, or a later row, rests on: the log or the projection was restored without the
 * other. The partition must not be served until somebody has looked at it.
 */
export class LogBroken extends Error {
  constructor(
    readonly partition: number,
    readonly position: number,
  ) {
    super(
      `partition ${partition} has no row at position ${position}, on which its projection or later rows rest`,
    );
  }
}

/** What an append came to for a partition of which not every row is stored. */
export interface Shortfall {
  /** How many of its rows are certainly stored, from the first on. */
  stored: number;
  /**
   * Why the next is not. PositionTaken, ClientIdTaken and AppendRefused are certain: it is not stored, and none after it. With
   * anything else nobody knows what of the rest is stored. Undefined when nothing but another partition's refusal kept the rest
   * out: it is certainly not stored and may be appended again as it is.
   */
  reason?: unknown;
}

export interface Tail {
  position: number;
  /** The highest term of any row. */
  term: number;
}

/** A stored event: `event` is the serialised LogEvent, character for character as it was appended. */
export interface StoredEvent {
  position: number;
  event: string;
}

/** One row's place in the log. */
export interface Place {
  partition: number;
  position: number;
}

/** A message, and the conversation that it is looked for in: that says where in the log. */
export interface MessageRef {
  conversationId: string;
  messageId: string;
}

/** What those who own nothing read of the log, on connections that no append waits for. */
export abstract class LogReader {
  /** A position of each partition up to which the projection reflects the log, at least; 0 where there is no row. */
  abstract positions(partitions: number[]): Promise<Map<number, number>>;
  /** Rows after a position, dense and rising, at most `limit`. */
  abstract read(partition: number, after: number, limit: number): Promise<StoredEvent[]>;
  /** The rows at these places, in any order; places without one are missing from the answer. */
  abstract readAt(places: Place[]): Promise<(Place & StoredEvent)[]>;
  /** The latest state of messages, as of the last append; unknown ones are missing from the answer. */
  abstract messages(wanted: MessageRef[]): Promise<Map<string, MessageState>>;
}

/**
 * The conversation log: append-only, unique and dense by (partition, position), with (conversation, version) and
 * (conversation, sender, client id) unique. Safety of the whole system rests on these three and on nothing else.
 */
export abstract class LogStore extends LogReader {
  /**
   * Stores rows of any number of partitions, each partition's dense and in rising position, durably, with the projection
   * they imply. Of each partition's rows a part from the first on is stored: all, some or none. Answers the partitions of
   * which not all are, by number; an empty map is success. When it throws, the outcome is unknown for all of them, unless it is AppendRefused. What
   * is unknown is to be read back, after `catchUp`.
   */
  abstract append(rows: LogRow[]): Promise<Map<number, Shortfall>>;
  /**
   * Brings the projection up to the end of the log, and answers where that is: the last row of each partition, position
   * 0 and term 0 where there is none. Whoever decides on what `conversations` and `messages` say calls this first. A
   * partition of which a row is missing answers LogBroken and must not be served.
   */
  abstract catchUp(partitions: number[]): Promise<Map<number, Tail | LogBroken>>;
  /**
   * Conversations as of the last append; those that do not exist are missing from the answer. Those of more than
   * MEMBERS_WITH_CONVERSATION members may come without these, as heads.
   */
  abstract conversations(ids: string[]): Promise<Map<string, ConversationState | ConversationHead>>;
  /**
   * Members of conversations that are not deleted, as of the last append: of each at most `limit`, by rising user id, from the first
   * above `after` on. What several calls answer is of one moment only where nothing is appended meanwhile.
   */
  abstract members(
    conversationIds: string[],
    limit: number,
    after?: string,
  ): Promise<Map<string, MemberEntry[]>>;
  /** The id of the message that a sender sent under a client id; undefined when there is none. */
  abstract messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined>;
}

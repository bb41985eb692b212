import type { ConversationHead, ConversationState, MessageState } from '../conversation/conversation.state';

/** Somebody came, changed role or went. */
export interface MembershipChange {
  userId: string;
  /** Null when gone. */
  role: 'owner' | 'admin' | 'member' | null;
  joinedAt: string;
  /** Where the read mark starts: the message count when joining. */
  readBase: number;
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
}

/** The append was refused as a whole and nothing of it is stored: somebody else wrote at that place. */
export class PositionTaken extends Error {
  constructor(readonly partition: number) {
    super(`another row stands at a position of partition ${partition}`);
  }
}

/** The append was refused as a whole and nothing of it is stored: the log knows this client id already. */
export class ClientIdTaken extends Error {
  constructor(
    readonly conversationId: string,
    readonly senderId: string,
    readonly clientMessageId: string,
  ) {
    super(`the log knows client id ${clientMessageId} already`);
  }
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

/**
 * The conversation log: append-only, unique and dense by (partition, position), with (conversation, version) and
 * (conversation, sender, client id) unique. Safety of the whole system rests on these three and on nothing else.
 */
export abstract class LogStore {
  /**
   * Stores rows of any number of partitions, each partition's in rising position, durably, with the projection they
   * imply. Throws PositionTaken or ClientIdTaken when it is certain that nothing was stored; after any other error the
   * outcome is unknown and must be read back from the tail.
   */
  abstract append(rows: LogRow[]): Promise<void>;
  /** The last row of each partition; position 0 and term 0 where there is none. */
  abstract tails(partitions: number[]): Promise<Map<number, Tail>>;
  /** Rows after a position, dense and rising, at most `limit`. */
  abstract read(partition: number, after: number, limit: number): Promise<StoredEvent[]>;
  /** Conversations with their members as of the last append; those that do not exist are missing from the answer. */
  abstract conversations(ids: string[]): Promise<Map<string, ConversationState>>;
  /** The latest state of messages; unknown ones are missing from the answer. */
  abstract messages(ids: string[]): Promise<Map<string, MessageState>>;
  /** The id of the message that a sender sent under a client id; undefined when there is none. */
  abstract messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined>;
}

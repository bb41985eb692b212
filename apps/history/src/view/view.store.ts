import type { Conversation, LogEvent, Member, Message } from '@parley/contracts';

/** An event that the view could not take, kept aside until an operator replays it. */
export interface ParkedEvent {
  partition: number;
  position: number;
  /** Null where not even that could be read. */
  conversationId: string | null;
  reason: string;
  /** As it came. */
  event: unknown;
}

/** Rows of one partition that go into the view together; parked ones count for the position. */
export interface SoundRows {
  partition: number;
  /** Of the first and last row, sound or parked: dense between. */
  first: number;
  last: number;
  rows: LogEvent[];
}

/** What the view knows of a conversation and of one user's place in it. */
export interface Standing {
  conversationId: string;
  /** The epoch of the log that this state came from; empty while what is left of a former one is being erased. */
  epoch: string;
  /** Everything up to this version is in the view. */
  head: number;
  messageCount: number;
  /** With `version` and `messageCount` as of the head; null while the creation is parked. */
  conversation: Conversation | null;
  deleted: boolean;
  isMember: boolean;
  /** An event of it is parked: its state cannot be told. */
  isParked: boolean;
}

/** One changed thing at its latest state. */
export type Entity =
  | { kind: 'message'; version: number; message: Message }
  | { kind: 'member'; version: number; member: Member; removed: boolean }
  | { kind: 'conversation'; version: number; conversation: Conversation };

export interface MessageSelection {
  conversationId: string;
  /** Numbers above this. */
  above?: number;
  /** Numbers below this. */
  below?: number;
  /** Replies in this message's thread only. */
  threadId?: string;
  pinned?: true;
  /** Take the highest numbers that fit the limit; otherwise the lowest. */
  newest: boolean;
  limit: number;
}

/** The rows cannot be stored as they are, whatever the store's health: one of them is to be parked. */
export class RowsRefused extends Error {}

/**
 * The writing half: the log's rows go in, in the order of their positions. Every method rejects when the store is away,
 * and has then changed nothing or can be repeated without harm.
 */
export abstract class ViewFeedStore {
  /**
   * Applied position of each partition, 0 where none. A partition that holds another epoch loses its state first, so that
   * it is rebuilt from the log; whoever still applies rows of the former epoch changes nothing that is seen.
   */
  abstract load(partitions: number[], epoch: string): Promise<Map<number, number>>;

  /** Applied position of each of the partitions that hold this epoch. Changes nothing. */
  abstract positions(partitions: number[], epoch: string): Promise<Map<number, number>>;

  /**
   * Writes entities where their stored version is lower, and parked events, then heads, then positions: a reader that sees
   * a head sees everything below it, and what of it is parked. All or nothing where the store can; otherwise a repeat
   * completes it.
   *
   * What was written may still be lost when the store itself crashes, but then whole and from the end: the positions are
   * lost with it, and the log has it.
   *
   * @throws RowsRefused when some row cannot be stored
   * @throws RowsDoNotFollow when the stored position is below `first - 1` or of another epoch: nothing is written then
   */
  abstract apply(batch: SoundRows[], parked: ParkedEvent[], epoch: string): Promise<void>;

  /** Oldest first, at most `limit`, of one conversation where given. */
  abstract parked(limit: number, conversationId?: string): Promise<ParkedEvent[]>;

  /** How many there are; `max` where there are more. */
  abstract countParked(max: number): Promise<number>;

  /**
   * Applies a parked event that is sound by now and forgets that it was parked. What is newer in the view stays.
   *
   * @throws RowsRefused when it still cannot be stored
   */
  abstract unpark(partition: number, row: LogEvent): Promise<void>;

  /**
   * Erases some more of the content of deleted conversations, and of what `load` has only put out of sight. Resolves to
   * whether there is more to erase.
   */
  abstract erase(): Promise<boolean>;
}

/** The reading half. Conversations that the view does not hold are absent from answers. */
export abstract class ViewStore {
  /** By conversation. Heads are read no later than anything read afterwards. */
  abstract standings(userId: string, conversationIds: string[]): Promise<Map<string, Standing>>;

  /** By conversation; for waiting on a version. */
  abstract heads(conversationIds: string[]): Promise<Map<string, number>>;

  /**
   * Entities with a version above the asked one: in the order of the asks, rising version within each. Stops after
   * `limit` entities in all, but never between two of the same version, so it may give a few more.
   */
  abstract changes(asks: { conversationId: string; above: number }[], limit: number): Promise<Entity[][]>;

  /** Everybody who is in these conversations now, by conversation, in the order of joining. */
  abstract members(conversationIds: string[]): Promise<Map<string, Member[]>>;

  /** In rising number. */
  abstract messages(selection: MessageSelection): Promise<Message[]>;

  abstract message(conversationId: string, messageId: string): Promise<Message | undefined>;

  /** Number of the first message created at `time` (RFC 3339) or later; one past the last when there is none. */
  abstract numberAt(conversationId: string, time: string): Promise<number>;
}

import type { Member, Message, Role, ServerEvent } from '@parley/contracts';

/** Everything that was seen from outside, and the log as messaging replays it. Only this is judged. */
export interface Observations {
  /** Writes of messages that were answered with success. */
  sends: AckedSend[];
  /** Other writes that were answered with success and a version. */
  changes: AckedChange[];
  /** Sends that were refused for good: they must not exist. */
  refused: RefusedSend[];
  /** What each socket was told, in order of arrival. */
  sockets: SocketTrace[];
  /** Each conversation as somebody reads it who comes fresh. */
  fresh: FreshConversation[];
  /** Each conversation as each client holds it after a quiet while, and those that it must not hold any more. */
  held: HeldConversation[];
  /** The rows of each conversation, in the order of their positions. */
  log: LogRow[];
}

export interface AckedSend {
  conversationId: string;
  senderId: string;
  clientMessageId: string;
  body: string;
  messageId: string;
  number: number;
  version: number;
  /** The socket of the first attempt, and the rank of that attempt among all of the socket. */
  socketId: string;
  rank: number;
  /** Attempts until the answer came; only a first attempt promises its place. */
  attempts: number;
}

export interface AckedChange {
  conversationId: string;
  /** The message that was changed. */
  messageId: string;
  version: number;
}

export interface RefusedSend {
  conversationId: string;
  senderId: string;
  clientMessageId: string;
  code: string;
}

export interface SocketTrace {
  socketId: string;
  userId: string;
  /** The realtime node that it was connected to. */
  node?: string;
  entries: TraceEntry[];
}

export type TraceEntry =
  /** A durable event. `digest` is `digestOf` of what it said about its subject. */
  | { kind: 'event'; name: ServerEvent; conversationId: string; version: number; digest: string }
  /** An event without a version that tells of a conversation, e.g. typing. */
  | { kind: 'hint'; name: ServerEvent; conversationId: string }
  /** The client stands at this version since a page of `sync`. */
  | { kind: 'stand'; conversationId: string; version: number };

export interface FreshConversation {
  conversationId: string;
  version: number;
  messageCount: number;
  messages: Message[];
  /** Null where member lists are no part of the log (channels). */
  members: { userId: string; role: Role }[] | null;
}

export interface HeldConversation extends Omit<FreshConversation, 'messageCount'> {
  userId: string;
  /** The client holds every message above this number; below it, only those that changed since. */
  completeAbove: number;
}

/** A row of the log. `digest` is `digestOf` of what the row says about its subject. */
export interface LogRow {
  partition: number;
  position: number;
  conversationId: string;
  /** Null for what moves no version: joins and leaves of channels. */
  version: number | null;
  kind: string;
  digest: string;
  message?: Message;
  /** Of a creation. */
  members?: Member[];
  /** Of a change of membership. */
  change?: { what: 'added' | 'role' | 'removed'; member: Member };
}

export type ViolationKind =
  /** An acknowledged write is not there. */
  | 'lost'
  /** A message is there twice, or a refused one is there. */
  | 'doubled'
  /** A counter skips or repeats a value. */
  | 'gap'
  /** Somebody saw another order, or other content under the same version. */
  | 'order'
  /** Somebody was told what he had no right to. */
  | 'leak'
  /** A client, left alone, did not come to the state that a fresh reader sees. */
  | 'diverged'
  /** The view shows something else than the log. */
  | 'view'
  /** Two nodes told one conversation in different orders. */
  | 'nodes'
  /** Somebody was refused for longer than the fault allows. */
  | 'refused'
  /** Partitions or lanes are not shared evenly, or not in time. */
  | 'uneven'
  /** Somebody's presence is shown wrongly, or told too often. */
  | 'presence';

export interface Violation {
  kind: ViolationKind;
  /** The conversation; of the last two kinds the service or the user. */
  conversationId: string;
  detail: string;
}

import type { Connection, Model } from 'mongoose';
import type { ConversationHead } from '../conversation/conversation.state';
import type { LogRow, MembershipChange, MentionChange } from './log.store';
import { headAfter, isWhole } from './projection';

/**
 * A row as MongoDB has it. Bodies are in `event` alone, and this file is the one place where they go in and come out.
 * A unique index counts an absent field as a value, so a row that has no version or client id of its own holds in its
 * place a number that no other row can hold.
 */
export interface LogDocument {
  partition: number;
  position: number;
  term: number;
  conversationId: string;
  /** The version; minus the position where the row has none. */
  version: number;
  number?: number;
  messageId?: string;
  senderId?: string;
  /** The client id, a string; the position, a number, where the row has none. */
  clientMessageId: string | number;
  requestHash?: string;
  at: Date;
  event: string;
  reactors?: string;
  /** What the row means for the projection beyond its other fields, as JSON; absent where there is nothing. */
  effect?: string;
}

interface Effect {
  conversation?: ConversationHead;
  memberships?: MembershipChange[];
  mentions?: string[];
  mentionChange?: MentionChange;
}

export const LOG_COLLECTION = 'messaging_log';

/**
 * For reading: what may be written is checked by the database itself, whose indexes are made by migrations. Mongoose is
 * taken from the connection, so that where the log is elsewhere it is never loaded.
 */
export function logModel(connection: Connection): Model<LogDocument> {
  const known = connection.models['LogRow'] as Model<LogDocument> | undefined;
  if (known) return known;
  const { Schema } = connection.base;
  const schema = new Schema<LogDocument>(
    {
      partition: Number,
      position: Number,
      term: Number,
      conversationId: String,
      version: Number,
      number: Number,
      messageId: String,
      senderId: String,
      clientMessageId: Schema.Types.Mixed,
      requestHash: String,
      at: Date,
      event: String,
      reactors: String,
      effect: String,
    },
    { collection: LOG_COLLECTION, versionKey: false, id: false, autoIndex: false, autoCreate: false },
  );
  return connection.model<LogDocument>('LogRow', schema);
}

/** Written by hand: it is made for every row, and absent fields cost nothing. */
export function toDocument(row: LogRow): LogDocument {
  const document: LogDocument = {
    partition: row.partition,
    position: row.position,
    term: row.term,
    conversationId: row.conversationId,
    version: row.version ?? -row.position,
    clientMessageId: row.clientMessageId ?? row.position,
    at: new Date(row.at),
    event: row.event,
  };
  if (row.number !== null) document.number = row.number;
  if (row.messageId !== null) document.messageId = row.messageId;
  if (row.senderId !== null) document.senderId = row.senderId;
  if (row.requestHash !== null) document.requestHash = row.requestHash;
  if (row.reactors !== null) document.reactors = row.reactors;
  if (isWhole(row)) {
    document.effect = JSON.stringify({ conversation: row.conversation, memberships: row.memberships });
  } else if (row.mentions.length > 0) {
    document.effect = JSON.stringify({ mentions: row.mentions });
  } else if (row.mentionChange) {
    document.effect = JSON.stringify({ mentionChange: row.mentionChange });
  }
  return document;
}

/** The row again; `before` is its conversation before it, which rows about messages build on. */
export function toRow(document: LogDocument, before: ConversationHead | undefined): LogRow {
  const effect = document.effect === undefined ? {} : (JSON.parse(document.effect) as Effect);
  const row = {
    partition: document.partition,
    position: document.position,
    term: document.term,
    conversationId: document.conversationId,
    version: document.version < 0 ? null : document.version,
    number: document.number ?? null,
    messageId: document.messageId ?? null,
    senderId: document.senderId ?? null,
    clientMessageId: typeof document.clientMessageId === 'string' ? document.clientMessageId : null,
    requestHash: document.requestHash ?? null,
    at: document.at.toISOString(),
    event: document.event,
    reactors: document.reactors ?? null,
    memberships: effect.memberships ?? [],
    mentions: effect.mentions ?? [],
    ...(effect.mentionChange && { mentionChange: effect.mentionChange }),
  };
  return { ...row, conversation: headAfter(before, { ...row, conversation: effect.conversation }) };
}

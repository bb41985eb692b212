import { z } from 'zod';
import { counter, id } from './common';
import {
  conversation,
  conversationType,
  member,
  myConversation,
  role,
  updateConversationBody,
  visibility,
} from './conversation';
import { partitionRows } from './events';
import { emoji, message, messageFormat, newAttachment } from './message';
import { presenceEntry, presenceStatus } from './presence';
import { accountPage, conversationDelta } from './sync';

interface Entry {
  /** What the receiver validates. */
  data: z.ZodType;
  reply: z.ZodType;
  /** How long the asker waits, in milliseconds. The queue drops it sooner, so a late one is never carried out. */
  timeoutMs: number;
}

const COMMAND_TIMEOUT_MS = 2000;
const QUERY_TIMEOUT_MS = 2000;

const actor = { conversationId: id, actorId: id };
const target = { ...actor, messageId: id };
const messageReply = z.object({ message });
const versionReply = z.object({ version: counter });

function command<D extends z.ZodType, R extends z.ZodType>(data: D, reply: R) {
  return { data, reply, timeoutMs: COMMAND_TIMEOUT_MS } as const satisfies Entry;
}

function query<D extends z.ZodType, R extends z.ZodType>(data: D, reply: R) {
  return { data, reply, timeoutMs: QUERY_TIMEOUT_MS } as const satisfies Entry;
}

/** Writes, addressed to the owner of `conversationId`'s partition. All name the wanted state and may be repeated. */
export const commands = {
  'message.send': command(
    z.object({
      ...actor,
      clientMessageId: z.string(),
      body: z.string(),
      format: messageFormat,
      replyTo: id.optional(),
      threadId: id.optional(),
      mentions: z.array(id),
      attachments: z.array(newAttachment),
    }),
    z.object({ message, created: z.boolean() }),
  ),
  'message.edit': command(
    z.object({
      ...target,
      body: z.string().optional(),
      format: messageFormat.optional(),
      mentions: z.array(id).optional(),
      attachments: z.array(newAttachment).optional(),
      ifVersion: counter.optional(),
    }),
    messageReply,
  ),
  'message.delete': command(z.object({ ...target, ifVersion: counter.optional() }), messageReply),
  'message.pin': command(z.object({ ...target, pinned: z.boolean() }), messageReply),
  'reaction.set': command(z.object({ ...target, emoji, present: z.boolean() }), messageReply),
  'conversation.create': command(
    z.object({
      ...actor,
      type: conversationType,
      title: z.string().nullable(),
      topic: z.string().nullable(),
      visibility,
      memberIds: z.array(id),
      /** SHA-256 of the request, hex: the same key with another request is refused. */
      requestHash: z.string(),
    }),
    z.object({ conversation, created: z.boolean() }),
  ),
  'conversation.update': command(
    z.object({ ...actor, change: updateConversationBody }),
    z.object({ conversation }),
  ),
  'conversation.delete': command(z.object(actor), versionReply),
  'member.put': command(
    z.object({ ...actor, userId: id, role: role.optional() }),
    z.object({ member, version: counter, created: z.boolean() }),
  ),
  'member.role': command(z.object({ ...actor, userId: id, role }), z.object({ member, version: counter })),
  'member.remove': command(z.object({ ...actor, userId: id }), versionReply),
  'channel.join': command(z.object(actor), z.object({ conversation })),
  'read.mark': command(z.object({ ...actor, number: counter }), z.object({ readNumber: counter })),
  'unread.set': command(
    z.object({ ...actor, fromNumber: counter.nullable() }),
    z.object({ fromNumber: counter.nullable() }),
  ),
} as const satisfies Record<string, Entry>;
export type Commands = typeof commands;
export type CommandName = keyof Commands;
export type CommandData<C extends CommandName> = z.output<Commands[C]['data']>;
export type CommandReply<C extends CommandName> = z.output<Commands[C]['reply']>;

const profile = z.object({ id, username: z.string(), displayName: z.string() });

/** Reads between services, answered by any instance of the service that the name begins with. */
export const queries = {
  /** The user's conversations, most recently active first, with the log positions that the answer reflects at least. */
  'messaging.join': query(
    z.object({ userId: id }),
    z.object({
      epoch: z.string(),
      accountCursor: z.string(),
      conversations: z.array(myConversation),
      nextCursor: z.string().nullable(),
      /** Every conversation the user is a member of: rooms to join. */
      memberOf: z.array(id),
      /** Position by partition, at most what the memberships reflect. */
      positions: z.array(counter),
    }),
  ),
  /** The account part of `sync`. */
  'messaging.account': query(
    z.object({ userId: id, cursor: z.string().nullable(), limit: counter }),
    accountPage,
  ),
  /** Whether somebody is a member now, asked before a view refuses somebody whom it does not know. */
  'messaging.membership': query(
    z.object({ userId: id, conversationIds: z.array(id) }),
    z.object({ memberOf: z.array(id) }),
  ),
  /** Rows after a position; `head` is the last confirmed position of the partition. */
  'messaging.replay': query(
    z.object({ partition: counter, after: counter, limit: counter }),
    z.object({ epoch: z.string(), head: counter, rows: partitionRows.shape.rows }),
  ),
  /** The deployment's epoch and number of partitions. */
  'messaging.epoch': query(z.object({}), z.object({ epoch: z.string(), partitions: counter })),
  /** The conversation part of `sync`: state above each version; `unknown` are those whose membership was refused. */
  'history.sync': query(
    z.object({ userId: id, epoch: z.string().nullable(), versions: z.record(id, counter), limit: counter }),
    z.object({ epoch: z.string(), conversations: z.array(conversationDelta), removed: z.array(id) }),
  ),
  'auth.users': query(z.object({ ids: z.array(id) }), z.object({ users: z.array(profile) })),
  /** Those of the sessions that have not ended; of no others is anything said. */
  'auth.sessions': query(z.object({ ids: z.array(id) }), z.object({ live: z.array(id) })),
  'presence.get': query(z.object({ userIds: z.array(id) }), z.object({ items: z.array(presenceEntry) })),
  'presence.set': query(
    z.object({ userId: id, status: presenceStatus.exclude(['offline']) }),
    z.object({ items: z.array(presenceEntry) }),
  ),
} as const satisfies Record<string, Entry>;
export type Queries = typeof queries;
export type QueryName = keyof Queries;
export type QueryData<Q extends QueryName> = z.output<Queries[Q]['data']>;
export type QueryReply<Q extends QueryName> = z.output<Queries[Q]['reply']>;

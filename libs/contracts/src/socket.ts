import { z } from 'zod';
import { closeReasons, PROTOCOL } from './socket-rules';
import { counter, id, limitsSchema, timestamp } from './common';
import { conversation, member, myConversation, readPayload } from './conversation';
import { limits } from './limits';
import {
  deleteMessagePayload,
  editMessagePayload,
  message,
  reactionPayload,
  sendMessagePayload,
} from './message';
import { notification } from './notification';
import { presenceEntry, presenceStatus } from './presence';
import { syncPayload, syncResult } from './sync';

const userIds = z.array(id).min(1).max(limits.presenceWatchMax);
const messageReply = z.object({ message });

/**
 * What may stand beside any client event's payload, as a second argument before the ack. An ill-formed trace is ignored, as
 * over HTTP; unknown headers are refused.
 */
export const eventHeaders = z
  .strictObject({
    traceparent: z.string().max(256).optional().describe('W3C trace context of the client, version 00.'),
  })
  .describe('Second argument of the event, where the client has something to say besides the payload.');

/** Client to server: each takes an ack `{ok: true, …reply}` or `{ok: false, error: {code, message, retryAfterMs?}}`. */
export const clientEvents = {
  'message:send': { payload: sendMessagePayload, reply: messageReply },
  'message:edit': { payload: editMessagePayload, reply: messageReply },
  'message:delete': { payload: deleteMessagePayload, reply: messageReply },
  'reaction:add': { payload: reactionPayload, reply: messageReply },
  'reaction:remove': { payload: reactionPayload, reply: messageReply },
  'conversation:read': { payload: readPayload, reply: z.object({ readNumber: counter }) },
  'typing:start': { payload: z.strictObject({ conversationId: id }), reply: z.object({}) },
  'typing:stop': { payload: z.strictObject({ conversationId: id }), reply: z.object({}) },
  'presence:set': {
    payload: z.strictObject({ status: presenceStatus.exclude(['offline']) }),
    reply: z.object({ items: z.array(presenceEntry) }),
  },
  'presence:watch': {
    payload: z.strictObject({ userIds }),
    reply: z.object({ items: z.array(presenceEntry) }),
  },
  'presence:unwatch': {
    payload: z.strictObject({ userIds }),
    reply: z.object({ items: z.array(presenceEntry) }),
  },
  sync: { payload: syncPayload, reply: syncResult },
  'auth:refresh': {
    payload: z.strictObject({ accessToken: z.string().max(4096) }),
    reply: z.object({ expiresAt: timestamp }),
  },
} as const;
export type ClientEvent = keyof typeof clientEvents;
export type ClientPayload<E extends ClientEvent> = z.input<(typeof clientEvents)[E]['payload']>;
export type ClientReply<E extends ClientEvent> = z.output<(typeof clientEvents)[E]['reply']>;

const versioned = { conversationId: id, version: counter };

/** Server to client. Those with `version` are durable: they come in rising order per conversation and can be synced. */
export const serverEvents = {
  ready: z.object({
    epoch: z.string(),
    protocol: z.literal(PROTOCOL),
    serverTime: timestamp,
    user: z.object({ id, username: z.string(), displayName: z.string() }),
    sessionId: id,
    node: z.string(),
    accountCursor: z.string(),
    limits: limitsSchema,
    conversations: z.array(myConversation).max(limits.readyConversationsMax),
    nextCursor: z.string().nullable(),
  }),
  'message:created': z.object({ ...versioned, message }),
  'message:updated': z.object({ ...versioned, message }),
  'message:deleted': z.object({ ...versioned, message }),
  'reaction:changed': z.object({ ...versioned, message }),
  'conversation:created': z.object({ ...versioned, conversation }),
  'conversation:updated': z.object({ ...versioned, conversation }),
  'conversation:removed': z.object({ ...versioned }),
  'member:changed': z.object({ ...versioned, change: z.enum(['added', 'role', 'removed']), member }),
  'account:changed': z.object({}),
  'typing:changed': z
    .object({ conversationId: id, userId: id, typing: z.boolean() })
    .describe(
      'Somebody begins to write, goes on (every 3 s at most), or ends, also 6 s after they were last heard of. Of all who ' +
        'write in one conversation a node shows ten at a time; others are shown as these end.',
    ),
  'presence:changed': z.object({ items: z.array(presenceEntry) }),
  'user:changed': z.object({ user: z.object({ id, username: z.string(), displayName: z.string() }) }),
  'notification:created': z.object({ notification }),
  position: z.object({ versions: z.record(id, counter) }),
  'session:revoked': z.object({ sessionId: id }),
  'server:draining': z.object({ deadline: timestamp, reconnectAfterMs: z.number().int() }),
  'session:closing': z.object({
    code: z
      .string()
      .describe(
        `Why the server closes the socket: ${Object.keys(closeReasons).join(', ')}. More may come; ` +
          '`reconnect` says what to do with any.',
      ),
    reconnect: z.boolean(),
    retryAfterMs: z.number().int(),
  }),
} as const;
export type ServerEvent = keyof typeof serverEvents;
export type ServerPayload<E extends ServerEvent> = z.output<(typeof serverEvents)[E]>;

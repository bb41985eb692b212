import { z } from 'zod';
import { counter, cursor, id, line, queryCounter, text, timestamp } from './common';
import { limits } from './limits';
import { message } from './message';

export const conversationType = z.enum(['direct', 'group', 'channel']);
export type ConversationType = z.infer<typeof conversationType>;
export const role = z.enum(['owner', 'admin', 'member']);
export type Role = z.infer<typeof role>;
export const visibility = z.enum(['private', 'public']);
export const notificationLevel = z.enum(['all', 'mentions', 'none']);

/** What is the same for everybody who may see the conversation. */
export const conversation = z.object({
  id,
  type: conversationType,
  title: z.string().nullable(),
  topic: z.string().nullable(),
  visibility,
  archived: z.boolean(),
  createdBy: id.nullable(),
  createdAt: timestamp,
  version: counter,
  messageCount: counter,
  memberCount: counter,
});
export type Conversation = z.infer<typeof conversation>;

export const member = z.object({ userId: id, role, joinedAt: timestamp });
export type Member = z.infer<typeof member>;

/** A conversation as one member sees it: the shared part and what is his alone. */
export const myConversation = conversation.extend({
  role,
  firstNumber: counter.describe('The lowest number that the caller may read.'),
  readNumber: counter,
  unread: counter.describe('messageCount - readNumber'),
  unreadMentions: counter.describe(`At most ${limits.unreadMentionsMax} are counted.`),
  unreadFrom: counter.nullable().describe('Set by mark-unread; private to the caller.'),
  notifications: z.object({ level: notificationLevel, mutedUntil: timestamp.nullable() }),
  lastMessage: message.nullable(),
  lastActivityAt: timestamp,
  directUserId: id.optional().describe('The other person of a direct conversation.'),
});
export type MyConversation = z.infer<typeof myConversation>;

const memberIds = z
  .array(id)
  .max(limits.conversationCreateMembersMax)
  .refine((ids) => new Set(ids).size === ids.length, 'names somebody twice');

const title = line(1, limits.conversationTitleCharsMax);
const topic = text(0, limits.conversationTopicCharsMax);

export const createConversationBody = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('direct'), memberIds: z.array(id).length(1) }),
  z.strictObject({
    type: z.literal('group'),
    title: title.optional(),
    topic: topic.optional(),
    memberIds: memberIds.optional(),
  }),
  z.strictObject({
    type: z.literal('channel'),
    title,
    topic: topic.optional(),
    memberIds: memberIds.optional(),
    visibility: visibility.optional(),
  }),
]);
export type CreateConversationBody = z.input<typeof createConversationBody>;

export const updateConversationBody = z
  .strictObject({
    title: title.nullable().optional(),
    topic: topic.nullable().optional(),
    visibility: visibility.optional(),
    archived: z.boolean().optional(),
  })
  .refine((value) => Object.keys(value).length > 0, 'names nothing to change');
export type UpdateConversationBody = z.input<typeof updateConversationBody>;

export const putMemberBody = z.strictObject({ role: role.exclude(['owner']).optional() });
export const patchMemberBody = z.strictObject({ role });
export const readBody = z.strictObject({ number: counter });
export const readPayload = z.strictObject({ conversationId: id, number: counter });
export const unreadBody = z.strictObject({ fromNumber: counter.min(1) });

export const conversationParams = z.strictObject({ conversationId: id });
export const memberParams = z.strictObject({ conversationId: id, userId: id });
export const messageParams = z.strictObject({ conversationId: id, messageId: id });

const pageLimit = queryCounter.pipe(z.number().min(1).max(limits.pageLimitMax)).optional();
const atLeast = queryCounter.optional();

export const conversationQuery = z.strictObject({ atLeast });
export const conversationsQuery = z.strictObject({ limit: pageLimit, cursor: cursor.optional() });
export const membersQuery = z.strictObject({ limit: pageLimit, cursor: cursor.optional(), atLeast });
export const channelsQuery = z.strictObject({
  query: text(0, limits.conversationTitleCharsMax).optional(),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export const messagesQuery = z
  .strictObject({
    before: queryCounter.optional(),
    after: queryCounter.optional(),
    around: queryCounter.optional(),
    at: z.iso.datetime().optional(),
    limit: pageLimit,
    atLeast,
  })
  .refine(
    (query) => [query.before, query.after, query.around, query.at].filter((x) => x !== undefined).length <= 1,
    'takes only one of before, after, around and at',
  );
export const messageQuery = z.strictObject({ atLeast });
export const messageListQuery = z.strictObject({ limit: pageLimit, cursor: cursor.optional(), atLeast });

export const messagePage = z.object({
  items: z.array(message),
  hasBefore: z.boolean(),
  hasAfter: z.boolean(),
});
export type MessagePage = z.infer<typeof messagePage>;

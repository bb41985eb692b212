import { z } from 'zod';
import { counter, cursor, id } from './common';
import { conversation, member, myConversation } from './conversation';
import { limits } from './limits';
import { message } from './message';

export const syncPayload = z.strictObject({
  epoch: z.string().max(64).nullable(),
  accountCursor: cursor.nullable(),
  versions: z
    .record(id, counter)
    .refine(
      (value) => Object.keys(value).length <= limits.syncConversationsMax,
      'names too many conversations',
    ),
  limit: z.number().int().min(1).max(limits.syncEntriesMax).optional(),
});
export type SyncPayload = z.infer<typeof syncPayload>;

/** One entry of what belongs to a user alone; `left` entries carry only the id. */
export const accountChange = z.discriminatedUnion('state', [
  z.object({ state: z.literal('joined'), conversationId: id, conversation: myConversation }),
  z.object({ state: z.literal('left'), conversationId: id }),
]);
export type AccountChange = z.infer<typeof accountChange>;

export const accountPage = z.object({
  cursor: z.string(),
  more: z.boolean(),
  changes: z.array(accountChange),
});
export type AccountPage = z.infer<typeof accountPage>;

export const conversationDelta = z.object({
  id,
  version: counter.describe('Where the client stands after it applied this page.'),
  head: counter.describe("The view's newest version; never to be stored."),
  more: z.boolean(),
  reset: z.boolean().describe('Drop the cached conversation: this page is its newest state.'),
  retryAfterMs: z.number().int().optional(),
  messages: z.array(message),
  members: z.array(member),
  membersRemoved: z.array(id),
  conversation: conversation.optional(),
});
export type ConversationDelta = z.infer<typeof conversationDelta>;

export const syncResult = z.object({
  epoch: z.string(),
  account: accountPage,
  conversations: z.array(conversationDelta),
  removed: z.array(id),
});
export type SyncResult = z.infer<typeof syncResult>;

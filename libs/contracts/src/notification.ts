import { z } from 'zod';
import { counter, id, pageQuery, timestamp } from './common';
import { limits } from './limits';

export const notificationType = z.enum(['mention', 'message']);

/** One entry of the in-app list. It carries ids only: the reader's client has the message or fetches it. */
export const notification = z.object({
  id,
  type: notificationType,
  conversationId: id,
  messageId: id,
  number: counter,
  senderId: id.nullable(),
  createdAt: timestamp,
  readAt: timestamp.nullable(),
});
export type Notification = z.infer<typeof notification>;

export const notificationsQuery = pageQuery;
export const notificationPage = z.object({
  items: z.array(notification),
  nextCursor: z.string().nullable(),
  unreadCount: counter,
});

/** Marks one, or all up to one and itself (`upTo`), as read. */
export const readNotificationsBody = z
  .strictObject({
    ids: z.array(id).min(1).max(limits.notificationIdsPerRequestMax).optional(),
    upTo: id.optional(),
  })
  .refine((value) => (value.ids === undefined) !== (value.upTo === undefined), 'takes either ids or upTo');
export const readNotificationsReply = z.object({ unreadCount: counter });

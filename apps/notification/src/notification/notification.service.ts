import { Injectable } from '@nestjs/common';
import {
  limits,
  type notificationPage,
  type notificationsQuery,
  type readNotificationsBody,
  type readNotificationsReply,
} from '@parley/contracts';
import type { z } from 'zod';
import { decodeCursor, encodeCursor } from './notification.cursor';
import { NotificationStore } from './notification.store';

/** A user's own list: every call is about the caller and nobody else. */
@Injectable()
export class NotificationService {
  constructor(private readonly store: NotificationStore) {}

  async list(
    userId: string,
    query: z.output<typeof notificationsQuery>,
  ): Promise<z.output<typeof notificationPage>> {
    const limit = query.limit ?? limits.pageLimitDefault;
    const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const [found, unreadCount] = await Promise.all([
      this.store.list(userId, after, limit + 1),
      this.store.unreadCount(userId),
    ]);
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, nextCursor: found.length > limit && last ? encodeCursor(last) : null, unreadCount };
  }

  /** Ids that are not in the caller's list are passed over: marking may be repeated, and lists are cut. */
  async read(
    userId: string,
    body: z.output<typeof readNotificationsBody>,
  ): Promise<z.output<typeof readNotificationsReply>> {
    if (body.ids) await this.store.markRead(userId, body.ids);
    if (body.upTo !== undefined) await this.store.markReadUpTo(userId, body.upTo);
    return { unreadCount: await this.store.unreadCount(userId) };
  }
}

import { z } from 'zod';
import { id, queryIds, timestamp } from './common';

export const presenceStatus = z.enum(['online', 'away', 'dnd', 'offline']);
export type PresenceStatus = z.infer<typeof presenceStatus>;

export const presenceEntry = z.object({
  userId: id,
  status: presenceStatus,
  lastSeenAt: timestamp.nullable(),
});
export type PresenceEntry = z.infer<typeof presenceEntry>;

export const presenceQuery = z.strictObject({ userIds: queryIds });
export const putPresenceBody = z.strictObject({ status: presenceStatus.exclude(['offline']) });

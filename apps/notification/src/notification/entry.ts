import { createHash } from 'node:crypto';
import type { Notification } from '@parley/contracts';

/** An entry of one user's list. */
export interface Entry extends Notification {
  userId: string;
}

/** One entry for each message and user, whatever is repeated: a UUID of version 8 from the two ids. */
export function entryId(messageId: string, userId: string): string {
  const bytes = createHash('sha256').update(`notification ${messageId} ${userId}`).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

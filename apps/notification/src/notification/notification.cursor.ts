import { ParleyError, id, queryCounter, timestamp } from '@parley/contracts';
import { z } from 'zod';

/** The last entry of a page; the next page holds what is older. */
export interface NotificationCursor {
  createdAt: string;
  number: number;
  id: string;
}

/** PostgreSQL knows no year 0. */
const time = timestamp.refine((value) => value >= '0001');
const content = z.tuple([time, queryCounter, id]);

export function encodeCursor(last: NotificationCursor): string {
  return Buffer.from(`${last.createdAt} ${last.number} ${last.id}`).toString('base64url');
}

/** @throws ParleyError `invalid_request` for what no page has given */
export function decodeCursor(cursor: string): NotificationCursor {
  const result = content.safeParse(Buffer.from(cursor, 'base64url').toString().split(' '));
  if (!result.success) {
    const message = 'is not one that was given';
    throw new ParleyError('invalid_request', `cursor: ${message}`, { errors: [{ path: 'cursor', message }] });
  }
  const [createdAt, number, entryId] = result.data;
  return { createdAt, number, id: entryId };
}

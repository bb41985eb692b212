import { ParleyError } from '@parley/contracts';
import type { z } from 'zod';

/** Cursors are opaque to clients; to us they are the key of the last item that was given. */
export function encodeCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

/**
 * The key inside a cursor.
 *
 * @param key what a key looks like in this list
 * @throws `invalid_request` for what no server of ours has made
 */
export function decodeCursor(cursor: string, key: z.ZodType<string>): string {
  const decoded = Buffer.from(cursor, 'base64url').toString('utf8');
  if (encodeCursor(decoded) === cursor && key.safeParse(decoded).success) return decoded;
  const message = 'is not one of ours';
  throw new ParleyError('invalid_request', `cursor: ${message}`, { errors: [{ path: 'cursor', message }] });
}

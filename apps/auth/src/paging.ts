import { ParleyError } from '@parley/contracts';

/** Cursors are opaque to clients; to us they are the key of the last item that was given. */
export function encodeCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

/** @throws `invalid_request` for what no server of ours has made */
export function decodeCursor(cursor: string): string {
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (key === '' || key.includes('\0') || encodeCursor(key) !== cursor) {
    throw new ParleyError('invalid_request', 'cursor: is not one of ours', {
      errors: [{ path: 'cursor', message: 'is not one of ours' }],
    });
  }
  return key;
}

import { ParleyError } from '@parley/contracts';

/** A place in a list of messages, as clients carry it: opaque, so that what it holds may change. */
export function cursorOf(number: number): string {
  return Buffer.from(`n${number}`).toString('base64url');
}

/** @throws ParleyError `invalid_request` for what `cursorOf` did not make */
export function numberOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  const match = /^n(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match?.[1] !== undefined && cursorOf(Number(match[1])) === cursor) return Number(match[1]);
  const message = 'is not one that was handed out';
  throw new ParleyError('invalid_request', `cursor: ${message}`, { errors: [{ path: 'cursor', message }] });
}

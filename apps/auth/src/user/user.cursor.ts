import { username } from '@parley/contracts';
import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../paging';

/** Where a search goes on: in its first half after a username, in its second after a display name and whose it is. */
export type SearchPosition =
  { half: 'usernames'; usernameKey: string } | { half: 'displayNames'; displayNameKey: string; id: string };

/** A user's id, a space, which no username has, and the display name; what no text of PostgreSQL can hold is none of ours. */
const displayNamePosition = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} ./s)
  .refine((value) => !value.includes('\0'));

/** In the first half it is the username alone, as it was before there were halves. */
export function encodePosition(position: SearchPosition): string {
  return encodeCursor(
    position.half === 'usernames' ? position.usernameKey : `${position.id} ${position.displayNameKey}`,
  );
}

/** @throws `invalid_request` for what no server of ours has made */
export function decodePosition(cursor: string): SearchPosition {
  const key = decodeCursor(cursor, z.union([username, displayNamePosition]));
  const space = key.indexOf(' ');
  return space < 0
    ? { half: 'usernames', usernameKey: key }
    : { half: 'displayNames', id: key.slice(0, space), displayNameKey: key.slice(space + 1) };
}

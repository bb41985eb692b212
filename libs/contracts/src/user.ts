import { z } from 'zod';
import { cursor, id, line, pageOf, queryCounter, queryIds, timestamp } from './common';
import { limits } from './limits';

/** Letters, digits and `_ . -`, beginning with a letter or digit; unique without regard to case. No `@`, so that it never looks like an address. */
export const username = z
  .string()
  .min(limits.usernameCharsMin)
  .max(limits.usernameCharsMax)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'may hold letters, digits, and _ . - after the first');

export const displayName = line(1, limits.displayNameCharsMax);

/** What everybody may see of a user. */
export const user = z.object({ id, username: z.string(), displayName: z.string() });
export type User = z.infer<typeof user>;

/** What only the user sees. */
export const me = user.extend({ email: z.string(), createdAt: timestamp });
export type Me = z.infer<typeof me>;

export const updateMeBody = z
  .strictObject({ username: username.optional(), displayName: displayName.optional() })
  .refine((value) => Object.keys(value).length > 0, 'names nothing to change');
export type UpdateMeBody = z.input<typeof updateMeBody>;

export const userParams = z.strictObject({ userId: id });

/** Either `ids`, or `query` (the beginning of a username or display name) with paging: first by usernames, then by display names. */
export const usersQuery = z
  .strictObject({
    ids: queryIds.optional(),
    query: line(1, limits.displayNameCharsMax).optional(),
    limit: queryCounter.pipe(z.number().min(1).max(limits.pageLimitMax)).optional(),
    cursor: cursor.optional(),
  })
  .refine((value) => (value.ids === undefined) !== (value.query === undefined), 'takes either ids or query')
  .refine(
    (value) => value.ids === undefined || (value.limit === undefined && value.cursor === undefined),
    'pages only a query',
  );
export type UsersQuery = z.output<typeof usersQuery>;

/** Unknown ids are left out. */
export const usersPage = pageOf(user);

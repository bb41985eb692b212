import { z } from 'zod';
import { id, line, text, timestamp, pageOf } from './common';
import { limits } from './limits';
import { displayName, me, username } from './user';

export const email = z.email('must be a mail address').max(limits.emailCharsMax);

const wellFormed = (value: string) => value.isWellFormed();

/** Any characters; compared after Unicode normalisation (NFKC), so that it can be typed on any keyboard. */
export const newPassword = z
  .string()
  .min(limits.passwordCharsMin)
  .max(limits.passwordCharsMax)
  .refine(wellFormed, 'contains characters that are not allowed');

/** A password to be compared: its length is judged only so that hashing stays cheap. */
const givenPassword = z
  .string()
  .min(1)
  .max(limits.passwordCharsMax)
  .refine(wellFormed, 'contains characters that are not allowed');

export const registerBody = z
  .strictObject({ email, username, password: newPassword, displayName })
  .refine(
    ({ email, username, password }) =>
      ![email.toLowerCase(), username.toLowerCase()].includes(password.toLowerCase()),
    { path: ['password'], message: 'must differ from the address and the username' },
  );
export type RegisterBody = z.input<typeof registerBody>;

export const loginBody = z.strictObject({
  login: text(1, limits.emailCharsMax).describe('The username or the mail address.'),
  password: givenPassword,
  totp: z
    .string()
    .regex(/^(\d{6}|[A-Za-z0-9]{4}(-[A-Za-z0-9]{4}){1,4})$/, 'must be six digits or a recovery code')
    .optional()
    .describe('Only for accounts with a second factor; refused where none is enrolled.'),
  device: line(1, limits.deviceNameCharsMax)
    .optional()
    .describe('What the list of sessions shows, for example `Firefox on Linux`.'),
});
export type LoginBody = z.input<typeof loginBody>;

export const refreshBody = z.strictObject({
  refreshToken: z.string().min(1).max(200),
});
export type RefreshBody = z.input<typeof refreshBody>;

export const changePasswordBody = z.strictObject({
  currentPassword: givenPassword,
  newPassword,
});
export type ChangePasswordBody = z.input<typeof changePasswordBody>;

export const tokens = z.object({
  tokenType: z.literal('Bearer'),
  accessToken: z.string(),
  expiresIn: z.number().int().describe('Seconds that the access token lives.'),
  refreshToken: z.string().describe('Opaque. Rotates with every use.'),
});
export type Tokens = z.infer<typeof tokens>;

export const authenticated = z.object({ user: me, tokens });
export type Authenticated = z.infer<typeof authenticated>;

export const refreshed = z.object({ tokens });
export type Refreshed = z.infer<typeof refreshed>;

export const session = z.object({
  id,
  device: z.string().nullable(),
  createdAt: timestamp,
  lastUsedAt: timestamp,
  current: z.boolean().describe('Whether it is the session of this very request.'),
});
export type Session = z.infer<typeof session>;

/** Newest first. */
export const sessionsPage = pageOf(session);
export const sessionParams = z.strictObject({ sessionId: id });

export const realtimeTicket = z.object({
  ticket: z.string(),
  expiresIn: z.number().int().describe('Seconds; the ticket is good for one socket.'),
});
export type RealtimeTicket = z.infer<typeof realtimeTicket>;

/** The public keys, current and next, as RFC 7517 has them. */
export const jwks = z.object({
  keys: z.array(
    z.object({
      kid: z.string(),
      kty: z.literal('EC'),
      crv: z.literal('P-256'),
      x: z.string(),
      y: z.string(),
      alg: z.literal('ES256'),
      use: z.literal('sig'),
    }),
  ),
});
export type Jwks = z.infer<typeof jwks>;

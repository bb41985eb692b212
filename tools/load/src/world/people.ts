import { randomBytes } from 'node:crypto';
import { mapBounded, requestJson } from './http';
import { claimsOf } from './tokens';

/** Somebody with an account; tokens are signed when they are needed. */
export interface Person {
  userId: string;
  sessionId: string;
}

/** Hashing a password takes a core for tens of milliseconds: more at a time would only queue. */
const PARALLEL = 4;

/** Registers `count` new people at auth. */
export function registerPeople(authUrl: string, count: number): Promise<Person[]> {
  const run = randomBytes(4).toString('hex');
  const password = randomBytes(12).toString('base64url');
  return mapBounded(Array.from({ length: count }), PARALLEL, async (_, index) => {
    const username = `load_${run}_${index}`;
    const { user, tokens } = await requestJson<{ user: { id: string }; tokens: { accessToken: string } }>(
      'POST',
      `${authUrl}/v1/auth/register`,
      { body: { email: `${username}@example.org`, username, password, displayName: `Load ${index}` } },
    );
    return { userId: user.id, sessionId: claimsOf(tokens.accessToken).sid };
  });
}

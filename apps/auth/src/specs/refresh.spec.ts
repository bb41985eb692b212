import type { Authenticated, Refreshed } from '@parley/contracts';
import { call, listen, query, register, startWorld, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld({}, 2);
});
afterAll(() => world.stop());

let people = 0;
/** A fresh person's refresh token and session. */
async function person() {
  people += 1;
  const { user, tokens }: Authenticated = await register(world.services[0]!, `person${people}`);
  return { userId: user.id, token: tokens.refreshToken, accessToken: tokens.accessToken };
}

async function refresh(refreshToken: unknown, instance = 0) {
  const answer = await call<Refreshed & { code?: string }>(
    world.services[instance]!,
    'POST',
    '/v1/auth/refresh',
    {
      body: { refreshToken },
    },
  );
  return { ...answer, next: answer.body.tokens?.refreshToken };
}

const refused = { status: 401, body: { code: 'unauthenticated' } };

test('each use gives the next token and a working access token', async () => {
  const { token } = await person();
  const first = await refresh(token);
  expect(first.status).toBe(200);
  expect(first.next).not.toBe(token);
  const me = await call(world.services[1]!, 'GET', '/v1/users/me', { token: first.body.tokens.accessToken });
  expect(me.status).toBe(200);
  const second = await refresh(first.next, 1);
  expect(second.status).toBe(200);
  expect(new Set([token, first.next, second.next]).size).toBe(3);
});

test('a lost answer: the old token gives the same successor until that is used', async () => {
  const { token } = await person();
  const lost = await refresh(token);
  const again = await refresh(token, 1);
  const andAgain = await refresh(token);
  expect([again.status, andAgain.status]).toEqual([200, 200]);
  expect(again.next).toBe(lost.next);
  expect(andAgain.next).toBe(lost.next);
  // The rule holds at every step, not only at the first.
  const second = await refresh(lost.next);
  expect((await refresh(lost.next, 1)).next).toBe(second.next);
  expect((await refresh(second.next)).status).toBe(200);
});

test('used after its successor was used, the old token ends the whole session', async () => {
  const heard = await listen(world.config.AMQP_URL);
  const { userId, token, accessToken } = await person();
  const first = await refresh(token);
  const second = await refresh(first.next);
  expect(await refresh(token)).toMatchObject(refused);
  for (const dead of [token, first.next, second.next]) expect(await refresh(dead)).toMatchObject(refused);
  const [event] = await heard.until(1, (e) => e.kind === 'session.revoked' && e.userId === userId);
  expect(event).toMatchObject({ kind: 'session.revoked', sequence: expect.any(Number) as number });
  const ticket = await call(world.services[0]!, 'POST', '/v1/auth/realtime-tickets', { token: accessToken });
  expect(ticket).toMatchObject(refused);
  await heard.close();
});

test('many at once, on several instances, all get the same successor', async () => {
  const { token } = await person();
  /** They wait for each other's lock; one that is told to come again does so with the same token, as clients do. */
  const patiently = async (instance: number): ReturnType<typeof refresh> => {
    const answer = await refresh(token, instance);
    return answer.status === 503 ? patiently(instance) : answer;
  };
  const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => patiently(n % 2)));
  expect(answers.map((answer) => answer.status)).toEqual(Array<number>(12).fill(200));
  expect(new Set(answers.map((answer) => answer.next)).size).toBe(1);
  expect((await refresh(answers[0]?.next)).status).toBe(200);
});

test('old and new at once: either order is one of the two that the rule allows', async () => {
  const { token } = await person();
  const first = await refresh(token);
  const [old, current] = await Promise.all([refresh(token, 0), refresh(first.next, 1)]);
  // The old one came first (same successor) or second (replay, so the session is gone).
  if (old.status === 200) expect(old.next).toBe(first.next);
  else expect(old).toMatchObject(refused);
  expect(current.status === 200 || old.status === 401).toBe(true);
  expect((await refresh(token)).status).toBe(401);
});

test('a made-up token neither works nor ends the session that it names', async () => {
  const { token } = await person();
  const first = await refresh(token);
  const second = await refresh(first.next);
  const bytes = Buffer.from(token, 'base64url');
  for (const at of [17, 20, 30, 51, 52, 67]) {
    const forged = Buffer.from(bytes);
    forged[at] = forged[at]! ^ 1;
    expect(await refresh(forged.toString('base64url'))).toMatchObject(refused);
  }
  expect((await refresh(second.next)).status).toBe(200);
});

test('a token of one session does not work for another', async () => {
  const [alice, bob] = [await person(), await person()];
  const mixed = Buffer.concat([
    Buffer.from(alice.token, 'base64url').subarray(0, 16),
    Buffer.from(bob.token, 'base64url').subarray(16),
  ]);
  expect(await refresh(mixed.toString('base64url'))).toMatchObject(refused);
  expect((await refresh(alice.token)).status).toBe(200);
});

test.each([undefined, null, '', 1, {}, ['x'], 'x'.repeat(201)])('refuses %j as a token', async (value) => {
  expect(await refresh(value)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test.each(['x', '..', 'a'.repeat(91), '\u0000'.repeat(90), 'ä'.repeat(91)])(
  '%j is not a token',
  async (value) => {
    expect(await refresh(value)).toMatchObject(refused);
  },
);

test('an access token is not a refresh token', async () => {
  const { accessToken } = await person();
  expect((await refresh(accessToken)).status).not.toBe(200);
});

test('nothing in the database is a token, or a part of one', async () => {
  const { token } = await person();
  const { next } = await refresh(token);
  const rows = await query<{ row: string }>(world, 'select s::text as row from auth.sessions s');
  const stored = rows.map(({ row }) => row).join('\n');
  for (const text of [token, next ?? '']) {
    const secret = Buffer.from(text, 'base64url').subarray(20, 52);
    expect(stored).not.toContain(secret.toString('hex'));
    expect(stored).not.toContain(text);
  }
});

test('a session that was not used for long enough is over', async () => {
  const { token, userId } = await person();
  await query(world, "update auth.sessions set expires_at = now() - interval '1 s' where user_id = $1", [
    userId,
  ]);
  expect(await refresh(token)).toMatchObject(refused);
});

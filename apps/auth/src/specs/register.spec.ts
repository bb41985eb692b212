import { type Authenticated, envelopes, type Me } from '@parley/contracts';
import { until } from '@parley/testing';
import { call, listen, password, register, registration, startWorld, type World } from './world';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const post = <T>(body: unknown) => call<T>(world.services[0]!, 'POST', '/v1/auth/register', { body });

test('a person registers, is who they said, and everybody hears of it', async () => {
  const heard = await listen(world.config.AMQP_URL);
  const { status, body, headers } = await post<Authenticated>(registration('Alice'));
  expect(status).toBe(201);
  expect(headers.get('ratelimit-limit')).toBe('10000');
  expect(body).toEqual({
    user: {
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/) as string,
      email: 'Alice@example.org',
      username: 'Alice',
      displayName: 'Alice of Parley',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
    },
    tokens: {
      tokenType: 'Bearer',
      accessToken: expect.any(String) as string,
      expiresIn: 600,
      refreshToken: expect.any(String) as string,
    },
  });
  const me = await call<Me>(world.services[0]!, 'GET', '/v1/users/me', { token: body.tokens.accessToken });
  expect(me.body).toEqual(body.user);
  const [event] = await heard.until(1, (e) => e.kind === 'user.changed' && e.user.id === body.user.id);
  expect(event).toEqual({
    v: envelopes.accounts.written,
    kind: 'user.changed',
    sequence: expect.any(Number) as number,
    at: expect.any(String) as string,
    user: { id: body.user.id, username: 'Alice', displayName: 'Alice of Parley' },
  });
  await heard.close();
});

test('address and username are unique without regard to case', async () => {
  await register(world.services[0]!, 'bob');
  const sameEmail = await post<{ errors: unknown }>({ ...registration('bob2'), email: 'BOB@Example.ORG' });
  expect(sameEmail).toMatchObject({
    status: 409,
    body: { code: 'conflict', errors: [{ path: 'email', message: 'is taken' }] },
  });
  const sameName = await post<{ errors: unknown }>({ ...registration('BOB'), email: 'other@example.org' });
  expect(sameName).toMatchObject({
    status: 409,
    body: { errors: [{ path: 'username', message: 'is taken' }] },
  });
});

test('of many who want the same name at once exactly one gets it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      decided({ ...registration('carol'), email: `carol${n}@example.org` }),
    ),
  );
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
});

/** Asks again while the answer is only that it took too long. */
async function decided(body: object): ReturnType<typeof post> {
  return until('the registration is decided', async () => {
    const answer = await post(body);
    return answer.status !== 503 && answer;
  });
}

const good = registration('dave');
test.each<[string, unknown]>([
  ['nothing', {}],
  ['a list', []],
  ['null', null],
  ['an unknown field', { ...good, admin: true }],
  ['a poisoned prototype', `{"__proto__":{"a":1},${JSON.stringify(good).slice(1)}`],
  ['no email', { ...good, email: undefined }],
  ['an email without host', { ...good, email: 'dave@' }],
  ['an email with spaces', { ...good, email: 'da ve@example.org' }],
  ['an email with a line break', { ...good, email: 'dave@example.org\nbcc: x' }],
  ['an email that is too long', { ...good, email: `${'d'.repeat(250)}@example.org` }],
  ['an email that is a list', { ...good, email: ['dave@example.org'] }],
  ['a username that is too short', { ...good, username: 'da' }],
  ['a username that is too long', { ...good, username: 'd'.repeat(33) }],
  ['a username like an address', { ...good, username: 'dave@home' }],
  ['a username with a space', { ...good, username: 'da ve' }],
  ['a username of other letters', { ...good, username: 'дейв' }],
  ['a username that is a number', { ...good, username: 12345 }],
  ['a password that is too short', { ...good, password: 'short' }],
  ['a password that is too long', { ...good, password: 'x'.repeat(129) }],
  ['a password that is the address', { ...good, password: 'DAVE@example.org' }],
  ['a password with half a character', { ...good, password: `${password}\ud800` }],
  ['an empty display name', { ...good, displayName: '   ' }],
  ['a display name of two lines', { ...good, displayName: 'a\nb' }],
  ['a display name of two lines to Unicode', { ...good, displayName: 'a\u2028b' }],
  ['a display name with a C1 control', { ...good, displayName: 'a\u009b31mb' }],
  ['a display name that turns around what follows', { ...good, displayName: 'Dave\u202e' }],
  ['a display name with a NUL', { ...good, displayName: 'a\u0000b' }],
  ['a display name that is too long', { ...good, displayName: 'x'.repeat(81) }],
])('refuses %s', async (_name, body) => {
  const answer = await post(body);
  expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
});

import type { Authenticated, Problem } from '@parley/contracts';
import { metricsRegistry } from '@parley/service';
import { freshRedis, interruptible } from '@parley/testing';
import { call, password, query, register, startWorld, type World } from './world';

const login = <T = Problem>(world: World, body: unknown, address = '203.0.113.1') =>
  call<T>(world.services[0]!, 'POST', '/v1/auth/login', { body, headers: { 'X-Real-IP': address } });

async function hashRuns(): Promise<number> {
  const metric = await metricsRegistry.getSingleMetric('auth_password_hash_seconds')?.get();
  const counts = metric?.values as { metricName: string; value: number; labels: { work?: string } }[];
  return counts
    .filter((value) => value.metricName.endsWith('_count') && value.labels.work === 'verify')
    .reduce((sum, value) => sum + value.value, 0);
}

describe('logging in', () => {
  let world: World;
  let alice: Authenticated;
  beforeAll(async () => {
    world = await startWorld({
      LOGIN_FAILURES_PER_ACCOUNT_MAX: '10000',
      LOGIN_FAILURES_PER_ADDRESS_MAX: '10000',
    });
    alice = await register(world.services[0]!, 'Alice');
  });
  afterAll(() => world.stop());

  test.each(['Alice', 'alice', 'Alice@example.org', 'ALICE@EXAMPLE.ORG'])('works as %s', async (name) => {
    const answer = await login<Authenticated>(world, { login: name, password, device: 'A test' });
    expect(answer.status).toBe(200);
    expect(answer.body.user).toEqual(alice.user);
    expect(answer.body.tokens.refreshToken).not.toBe(alice.tokens.refreshToken);
  });

  test('takes the same characters in another Unicode form', async () => {
    const body = {
      email: 'z@example.org',
      username: 'zoe',
      displayName: 'Zoë',
      password: 'Zo\u00eb geht heim',
    };
    await call(world.services[0]!, 'POST', '/v1/auth/register', { body });
    const answer = await login(world, { login: 'zoe', password: 'Zoe\u0308 geht heim' });
    expect(answer.status).toBe(200);
  });

  test('does not tell an unknown name from a wrong password, in words or in work', async () => {
    const before = await hashRuns();
    const wrong = await login(world, { login: 'alice', password: 'not it at all' });
    const between = await hashRuns();
    const unknown = await login(world, { login: 'nobody', password: 'not it at all' });
    const address = await login(world, { login: 'nobody@example.org', password: 'not it at all' });
    const after = await hashRuns();
    expect(wrong.status).toBe(401);
    for (const answer of [unknown, address]) {
      expect({ ...answer.body, requestId: '' }).toEqual({ ...wrong.body, requestId: '' });
      expect(answer.status).toBe(wrong.status);
    }
    expect(wrong.body.code).toBe('invalid_credentials');
    expect(between - before).toBe(1);
    expect(after - between).toBe(2);
  });

  test('refuses a code where no second factor is enrolled, once the password fits', async () => {
    const fits = await login(world, { login: 'alice', password, totp: '123456' });
    expect(fits).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', errors: [{ path: 'totp', message: 'no second factor is enrolled' }] },
    });
    const not = await login(world, { login: 'alice', password: 'wrong', totp: '123456' });
    expect(not.body.code).toBe('invalid_credentials');
  });

  test.each<[string, unknown]>([
    ['nothing', {}],
    ['no password', { login: 'alice' }],
    ['an empty login', { login: '', password }],
    ['a login that is too long', { login: 'x'.repeat(255), password }],
    ['a password that is too long', { login: 'alice', password: 'x'.repeat(129) }],
    ['a password that is a number', { login: 'alice', password: 1 }],
    ['a login with what no store keeps', { login: 'ali\0ce', password }],
    ['a login that is an object', { login: { $ne: null }, password }],
    ['a code that is none', { login: 'alice', password, totp: '12345' }],
    ['a device of two lines', { login: 'alice', password, device: 'a\nb' }],
    ['a device that is too long', { login: 'alice', password, device: 'x'.repeat(81) }],
    ['an unknown field', { login: 'alice', password, remember: true }],
  ])('refuses %s', async (_name, body) => {
    expect(await login(world, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  test('strange characters in a login are just nobody', async () => {
    for (const name of ["' or 1=1 --", '%', '*', 'ali\\ce', '@', '\ud83d\ude00']) {
      expect(await login(world, { login: name, password })).toMatchObject({ status: 401 });
    }
  });

  test('ends the session used longest ago when there are too many', async () => {
    const { user, tokens } = await register(world.services[0]!, 'many');
    // 98 more, each used later than the one before it.
    await query(
      world,
      `insert into auth.sessions (id, user_id, last_used_at, expires_at, generation, current_hash, tag_key)
       select gen_random_uuid(), $1, now() + make_interval(secs => n), now() + interval '1 day', 0, '', ''
       from generate_series(1, 98) n`,
      [user.id],
    );
    const refresh = (refreshToken: string) =>
      call<Authenticated>(world.services[0]!, 'POST', '/v1/auth/refresh', { body: { refreshToken } });
    const hundredth = await login<Authenticated>(world, { login: 'many', password });
    // All hundred may live; the first one is the one used longest ago.
    expect((await refresh(hundredth.body.tokens.refreshToken)).status).toBe(200);
    expect((await login(world, { login: 'many', password })).status).toBe(200);
    expect((await refresh(tokens.refreshToken)).status).toBe(401);
    const [{ live } = { live: 0 }] = await query<{ live: number }>(
      world,
      'select count(*)::int live from auth.sessions where user_id = $1 and revoked_at is null',
      [user.id],
    );
    expect(live).toBe(100);
  });
});

describe('the throttle', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld({ LOGIN_FAILURES_PER_ACCOUNT_MAX: '3', LOGIN_FAILURES_PER_ADDRESS_MAX: '6' });
    for (const name of ['alice', 'bob', 'carol', 'dave', 'erin']) await register(world.services[0]!, name);
  });
  afterAll(() => world.stop());

  const wrong = (name: string, address: string) => login(world, { login: name, password: 'wrong' }, address);

  test('slows guessing at one account, wherever it comes from and however its name is written', async () => {
    for (const [name, n] of [
      ['alice', 1],
      ['ALICE', 2],
      ['Alice', 3],
    ] as const) {
      expect((await wrong(name, `198.51.100.${n}`)).status).toBe(401);
    }
    const refused = await wrong('alice', '198.51.100.4');
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(refused.headers.get('ratelimit-limit')).toBe('3');
    expect(Number(refused.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
  });

  test('does not tell by throttling whether an account exists', async () => {
    for (let n = 0; n < 3; n += 1) expect((await wrong('nobody', `198.51.101.${n}`)).status).toBe(401);
    expect((await wrong('nobody', '198.51.101.9')).status).toBe(429);
  });

  test('does not tell by throttling which address belongs to which username', async () => {
    const remaining = async (name: string, n: number) =>
      (await wrong(name, `198.51.103.${n}`)).headers.get('ratelimit-remaining');
    expect(await remaining('dave@example.org', 1)).toBe('2');
    expect(await remaining('dave', 2)).toBe('2');
    for (const n of [3, 4]) await wrong('dave@example.org', `198.51.103.${n}`);
    expect((await wrong('dave@example.org', '198.51.103.5')).status).toBe(429);
    expect((await wrong('dave', '198.51.103.6')).status).toBe(401);
  });

  test('never locks the owner out of where the owner logs in from', async () => {
    const home = '192.0.2.7';
    const names = ['bob', 'bob@example.org'];
    expect((await login(world, { login: 'bob', password }, home)).status).toBe(200);
    for (const name of names) {
      for (let n = 0; n < 4; n += 1) await wrong(name, `198.51.102.${n}`);
      expect((await wrong(name, '198.51.102.9')).status).toBe(429);
    }
    for (const name of names) expect((await login(world, { login: name, password }, home)).status).toBe(200);
  });

  test('lets the owner change the password while strangers guess it', async () => {
    const { body } = await login(world, { login: 'erin', password }, '192.0.2.8');
    const { accessToken } = (body as unknown as Authenticated).tokens;
    for (let n = 0; n < 4; n += 1) await wrong('erin', `198.51.104.${n}`);
    const change = (currentPassword: string) =>
      call(world.services[0]!, 'POST', '/v1/auth/password/change', {
        token: accessToken,
        body: { currentPassword, newPassword: 'another horse battery' },
        headers: { 'X-Real-IP': '192.0.2.9' },
      });
    for (let n = 0; n < 2; n += 1) expect((await change('wrong')).status).toBe(401);
    expect((await change(password)).status).toBe(204);
    for (let n = 0; n < 3; n += 1) await change('wrong');
    expect((await change('wrong')).status).toBe(429);
  });

  test('counts failures only', async () => {
    for (let n = 0; n < 8; n += 1) {
      expect((await login(world, { login: 'carol', password }, '192.0.2.50')).status).toBe(200);
    }
  });

  test('slows guessing at many accounts from one network', async () => {
    for (let n = 0; n < 6; n += 1) expect((await wrong(`user${n}`, `2001:db8:1:2::${n}`)).status).toBe(401);
    expect((await wrong('user7', '2001:db8:1:2:3:4:5:6')).status).toBe(429);
    expect((await wrong('user8', '2001:db8:1:3::1')).status).toBe(401);
  });

  test('slows registering from one address', async () => {
    const strict = await startWorld({ REGISTRATIONS_PER_ADDRESS_MAX: '1' });
    await register(strict.services[0]!, 'one');
    const body = { email: 'two@example.org', username: 'two', password, displayName: 'Two' };
    const second = await call(strict.services[0]!, 'POST', '/v1/auth/register', { body });
    expect(second).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    await strict.stop();
  });
});

describe.each(['cut', 'freeze'] as const)('when Redis is away (%s)', (how) => {
  test('people still log in, in time, and are still throttled', async () => {
    const line = await interruptible(await freshRedis());
    const world = await startWorld({ LOGIN_FAILURES_PER_ACCOUNT_MAX: '3', REDIS_URL: line.url });
    await register(world.services[0]!, 'alice');
    await line[how]();
    expect((await login(world, { login: 'alice', password })).status).toBe(200);
    for (let n = 0; n < 3; n += 1) {
      expect((await login(world, { login: 'alice', password: 'wrong' })).status).toBe(401);
    }
    expect((await login(world, { login: 'alice', password: 'wrong' })).status).toBe(429);
    const ready = await call<{ status: string }>(world.services[0]!, 'GET', '/health/ready');
    expect(ready).toMatchObject({ status: 200, body: { status: 'degraded' } });
    await line.restore();
    await world.stop();
    await line.close();
  });
});

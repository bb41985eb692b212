import { Broker, ControlInbox, Requester } from '@parley/broker';
import type { Authenticated, Session } from '@parley/contracts';
import { TokenVerifier } from '@parley/service';
import { accessTokenFor } from '@parley/testing';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { PasswordHasher } from '../account/password.hasher';
import { SessionJanitor } from '../session/session.janitor';
import { call, listen, password, query, register, startWorld, type World } from './world';

let world: World;
let heard: Awaited<ReturnType<typeof listen>>;
beforeAll(async () => {
  world = await startWorld();
  heard = await listen(world.config.AMQP_URL);
});
afterAll(async () => {
  await heard.close();
  await world.stop();
});

interface SessionPage {
  items: Session[];
  nextCursor: string | null;
}

const service = () => world.services[0]!;
const sessions = (token: string, query = '') =>
  call<SessionPage>(service(), 'GET', `/v1/auth/sessions${query}`, { token });
const end = (token: string, id: string) => call(service(), 'DELETE', `/v1/auth/sessions/${id}`, { token });

async function loginAs(login: string, device: string): Promise<string> {
  const { body } = await call<Authenticated>(service(), 'POST', '/v1/auth/login', {
    body: { login, password, device },
  });
  return body.tokens.accessToken;
}

test('other services learn which sessions have ended by asking', async () => {
  const { tokens } = await register(service(), 'asked');
  const phone = await loginAs('asked', 'Phone');
  const [live, ended] = (await sessions(tokens.accessToken)).body.items.map(({ id }) => id).reverse();
  expect((await end(phone, ended!)).status).toBe(204);
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const options = { url: world.config.AMQP_URL, service: 'realtime', instanceId: uuid(), logger } as const;
  const broker = new Broker(options);
  const requester = new Requester(broker, new ControlInbox(broker));
  broker.start();
  await broker.whenConnected();
  const expired = (await sessions((await register(service(), 'idle')).tokens.accessToken)).body.items[0]!.id;
  await query(world, 'update auth.sessions set expires_at = now() where id = $1', [expired]);
  const answer = await requester.query('auth.sessions', { ids: [live!, ended!, expired, uuid()] });
  expect(answer).toEqual({ live: [live] });
  requester.stop();
  await broker.stop();
});

test('the list shows each device, newest first, and which one asks', async () => {
  await register(service(), 'lister');
  const phone = await loginAs('lister', 'Phone');
  const laptop = await loginAs('lister', 'Laptop');
  const { body } = await sessions(laptop);
  expect(body.items.map(({ device, current }) => ({ device, current }))).toEqual([
    { device: 'Laptop', current: true },
    { device: 'Phone', current: false },
    { device: null, current: false },
  ]);
  expect(body.nextCursor).toBeNull();

  const first = await sessions(phone, '?limit=2');
  const rest = await sessions(phone, `?limit=2&cursor=${first.body.nextCursor}`);
  expect([...first.body.items, ...rest.body.items].map((item) => item.id)).toEqual(
    body.items.map((item) => item.id),
  );
  expect(rest.body.nextCursor).toBeNull();
});

test.each([
  '?limit=0',
  '?limit=101',
  '?limit=x',
  '?limit=-1',
  '?cursor=',
  '?cursor=%00',
  '?cursor=bm90LWFuLWlk%3D',
  '?page=2',
])('the list refuses %s', async (query) => {
  const token = await loginAs('lister', 'x');
  expect(await sessions(token, query)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

test('a cursor that is no id of ours is refused', async () => {
  const token = await loginAs('lister', 'x');
  expect((await sessions(token, `?cursor=${Buffer.from('nonsense').toString('base64url')}`)).status).toBe(
    400,
  );
});

test('one device signs another out: its tokens end, and realtime hears of it', async () => {
  const { user } = await register(service(), 'owner');
  const phone = await loginAs('owner', 'Phone');
  const laptop = await loginAs('owner', 'Laptop');
  const victim = (await sessions(phone)).body.items.find((item) => item.current)!;
  expect((await end(laptop, victim.id)).status).toBe(204);
  const [event] = await heard.until(1, (e) => e.kind === 'session.revoked' && e.userId === user.id);
  expect(event).toMatchObject({ sessionId: victim.id });
  expect((await sessions(laptop)).body.items.map((item) => item.device)).not.toContain('Phone');
  expect((await call(service(), 'POST', '/v1/auth/realtime-tickets', { token: phone })).status).toBe(401);
  // Ending it again answers the same and tells nobody.
  expect((await end(laptop, victim.id)).status).toBe(204);
  const last = await loginAs('owner', 'Last');
  await call(service(), 'POST', '/v1/auth/logout', { token: last });
  const events = await heard.until(2, (e) => e.kind === 'session.revoked' && e.userId === user.id);
  expect(events).toHaveLength(2);
});

test('nobody ends or sees the session of somebody else', async () => {
  const alice = await register(service(), 'alice');
  const bob = await register(service(), 'bob');
  const hers = (await sessions(alice.tokens.accessToken)).body.items[0]!;
  expect(await end(bob.tokens.accessToken, hers.id)).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  });
  expect((await end(bob.tokens.accessToken, uuid())).status).toBe(404);
  expect((await end(bob.tokens.accessToken, 'nonsense')).status).toBe(400);
  expect((await sessions(alice.tokens.accessToken)).body.items).toHaveLength(1);
});

test('logging out ends this session and no other', async () => {
  await register(service(), 'leaver');
  const phone = await loginAs('leaver', 'Phone');
  const laptop = await loginAs('leaver', 'Laptop');
  expect((await call(service(), 'POST', '/v1/auth/logout', { token: phone })).status).toBe(204);
  expect((await call(service(), 'POST', '/v1/auth/logout', { token: phone })).status).toBe(204);
  expect((await sessions(laptop)).body.items.map((item) => item.device)).toEqual(['Laptop', null]);
});

test('changing the password ends every other session and takes effect at once', async () => {
  await register(service(), 'changer');
  const phone = await loginAs('changer', 'Phone');
  const laptop = await loginAs('changer', 'Laptop');
  const change = (body: unknown, token = laptop) =>
    call(service(), 'POST', '/v1/auth/password/change', { token, body });
  const newPassword = 'another horse entirely';
  expect(await change({ currentPassword: 'wrong', newPassword })).toMatchObject({
    status: 401,
    body: { code: 'invalid_credentials' },
  });
  expect((await change({ currentPassword: password, newPassword: 'short' })).status).toBe(400);
  expect((await change({ currentPassword: password, newPassword })).status).toBe(204);
  expect((await sessions(laptop)).body.items.map((item) => item.device)).toEqual(['Laptop']);
  expect((await change({ currentPassword: newPassword, newPassword: password }, phone)).status).toBe(401);
  const login = (value: string) =>
    call(service(), 'POST', '/v1/auth/login', { body: { login: 'changer', password: value } });
  expect((await login(password)).status).toBe(401);
  expect((await login(newPassword)).status).toBe(200);
});

describe('who has shown the old password when it changes', () => {
  const newPassword = 'another horse entirely';
  const change = (token: string, to: string) =>
    call(service(), 'POST', '/v1/auth/password/change', {
      token,
      body: { currentPassword: password, newPassword: to },
    });
  const login = (name: string, value: string) =>
    call(service(), 'POST', '/v1/auth/login', { body: { login: name, password: value } });

  /** Carries out `meanwhile` once the next password was compared, and before anything follows from that. */
  function afterComparing(meanwhile: () => Promise<unknown>): void {
    const hasher = service().app.get(PasswordHasher);
    const verify = hasher.verify.bind(hasher);
    hasher.verify = async (...compared) => {
      hasher.verify = verify;
      const fits = await verify(...compared);
      await meanwhile();
      return fits;
    };
  }

  async function changed(laptop: string): Promise<void> {
    expect((await change(laptop, newPassword)).status).toBe(204);
  }

  test('stays out', async () => {
    await register(service(), 'racer');
    const laptop = await loginAs('racer', 'Laptop');
    afterComparing(() => changed(laptop));
    expect(await login('racer', password)).toMatchObject({
      status: 401,
      body: { code: 'invalid_credentials' },
    });
    expect((await sessions(laptop)).body.items.map((item) => item.device)).toEqual(['Laptop']);
    expect((await login('racer', newPassword)).status).toBe(200);
  });

  test.each(['Phone', 'Laptop'])('does not change it once more (%s)', async (device) => {
    const name = `changer-at-${device.toLowerCase()}`;
    await register(service(), name);
    const laptop = await loginAs(name, 'Laptop');
    const own = device === 'Laptop' ? laptop : await loginAs(name, device);
    afterComparing(() => changed(laptop));
    expect((await change(own, 'a horse of a thief')).status).toBe(401);
    expect((await sessions(laptop)).body.items.map((item) => item.device)).toEqual(['Laptop']);
    expect((await login(name, newPassword)).status).toBe(200);
  });
});

test('a ticket opens the socket door and no other', async () => {
  const { user, tokens } = await register(service(), 'dialer');
  const { status, body } = await call<{ ticket: string; expiresIn: number }>(
    service(),
    'POST',
    '/v1/auth/realtime-tickets',
    { token: tokens.accessToken },
  );
  expect(status).toBe(201);
  expect(body.expiresIn).toBe(30);
  const verifier = service().app.get(TokenVerifier);
  const claims = await verifier.verifyTicket(body.ticket);
  const access = await verifier.verifyAccessToken(tokens.accessToken);
  expect(claims).toMatchObject({ userId: user.id, sessionId: access.sessionId });
  expect(claims.tokenId).not.toBe(access.tokenId);
  await expect(verifier.verifyAccessToken(body.ticket)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(verifier.verifyTicket(tokens.accessToken)).rejects.toMatchObject({ code: 'unauthenticated' });
  expect((await call(service(), 'GET', '/v1/users/me', { token: body.ticket })).status).toBe(401);
});

test('a well-signed token of nobody gets nothing', async () => {
  const token = await accessTokenFor(uuid(), { sid: uuid() });
  for (const [method, path] of [
    ['GET', '/v1/users/me'],
    ['POST', '/v1/auth/realtime-tickets'],
  ] as const) {
    expect((await call(service(), method, path, { token })).status).toBe(401);
  }
});

test.each([
  ['POST', '/v1/auth/logout'],
  ['GET', '/v1/auth/sessions'],
  ['DELETE', `/v1/auth/sessions/${uuid()}`],
  ['POST', '/v1/auth/realtime-tickets'],
  ['POST', '/v1/auth/password/change'],
  ['GET', '/v1/users/me'],
  ['PATCH', '/v1/users/me'],
  ['GET', `/v1/users/${uuid()}`],
  ['GET', '/v1/users?query=a'],
])('%s %s needs a token', async (method, path) => {
  expect(await call(service(), method, path)).toMatchObject({
    status: 401,
    body: { code: 'unauthenticated' },
  });
});

test('the keys are published', async () => {
  const { status, body } = await call<{ keys: Record<string, string>[] }>(
    service(),
    'GET',
    '/v1/auth/.well-known/jwks.json',
  );
  expect(status).toBe(200);
  expect(body.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' });
  expect(Object.keys(body.keys[0]!)).not.toContain('d');
});

test('sessions are forgotten a week after their end, and live ones are not', async () => {
  const { user } = await register(service(), 'old');
  const ended = "update auth.sessions set revoked_at = now() - interval '8 days' where user_id = $1";
  await query(world, ended, [user.id]);
  const before = await query(world, 'select 1 from auth.sessions');
  expect(await service().app.get(SessionJanitor).sweep()).toBe(1);
  const after = await query(world, 'select 1 from auth.sessions');
  expect(before.length - after.length).toBe(1);
});

describe('of very many ended sessions', () => {
  const many = 2500;
  const left = async () => {
    const [row] = await query<{ count: string }>(
      world,
      'select count(*) from auth.sessions where device = $1',
      ['ended'],
    );
    return Number(row?.count);
  };
  let userId: string;
  beforeAll(async () => {
    userId = (await register(service(), 'frequent')).user.id;
  });
  beforeEach(() =>
    query(
      world,
      `insert into auth.sessions (id, user_id, device, expires_at, generation, current_hash, tag_key)
       select gen_random_uuid(), $1, 'ended', now() - interval '8 days', 0, '', '' from generate_series(1, $2::integer)`,
      [userId, many],
    ),
  );

  test('none is left, though they are removed in batches', async () => {
    expect(await service().app.get(SessionJanitor).sweep()).toBe(many);
    expect(await left()).toBe(0);
  });

  test('those are left that an instance has not come to which is shut down', async () => {
    const janitor = new SessionJanitor(service().app.get(DataSource));
    const swept = janitor.sweep();
    await janitor.beforeApplicationShutdown();
    expect(await swept).toBe(1000);
    expect(await left()).toBe(many - 1000);
  });
});

import { Requester, Broker, ControlInbox } from '@parley/broker';
import type { Authenticated, Me, User } from '@parley/contracts';
import { v7 as uuid } from 'uuid';
import { call, listen, register, startWorld, type World } from './world';

let world: World;
let alice: Authenticated;
let bob: Authenticated;
beforeAll(async () => {
  world = await startWorld();
  alice = await register(world.services[0]!, 'Alice');
  bob = await register(world.services[0]!, 'bob');
});
afterAll(() => world.stop());

interface UserPage {
  items: User[];
  nextCursor: string | null;
}
const token = () => alice.tokens.accessToken;
const get = <T>(path: string) => call<T>(world.services[0]!, 'GET', path, { token: token() });
const patch = <T>(body: unknown) =>
  call<T>(world.services[0]!, 'PATCH', '/v1/users/me', { token: token(), body });
const publicPart = ({ id, username, displayName }: Me): User => ({ id, username, displayName });

test('others see the public part only', async () => {
  const { body } = await get<User>(`/v1/users/${bob.user.id}`);
  expect(body).toEqual(publicPart(bob.user));
});

test('an unknown one is not found, a malformed id is refused', async () => {
  expect(await get(`/v1/users/${uuid()}`)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect((await get(`/v1/users/${bob.user.id.toUpperCase()}`)).status).toBe(400);
  expect((await get('/v1/users/1')).status).toBe(400);
});

test('several are fetched by ids, unknown ones left out', async () => {
  const { body } = await get<UserPage>(
    `/v1/users?ids=${bob.user.id},${uuid()},${alice.user.id},${bob.user.id}`,
  );
  expect(body).toEqual({ items: [publicPart(bob.user), publicPart(alice.user)], nextCursor: null });
});

test.each([
  '',
  '?ids=',
  '?ids=nonsense',
  '?query=',
  '?query=%20',
  '?query=a&ids=01900000-0000-7000-8000-000000000001',
  '?query=a&query=b',
  '?query=a&limit=1000',
  '?query=a&cursor=%25%25',
  '?ids=01900000-0000-7000-8000-000000000001&limit=3',
  `?ids=${Array.from({ length: 101 }, () => uuid()).join(',')}`,
])('the list refuses %s', async (query) => {
  expect(await get(`/v1/users${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
});

describe('searching', () => {
  beforeAll(async () => {
    const { services } = world;
    for (const [username, displayName] of [
      ['search1', 'Émile Zola'],
      ['search2', 'Ｆｕｌｌ Width'],
      ['search_3', '張偉'],
      ['searchX3', '100% Cotton'],
    ]) {
      const body = { username, displayName, email: `${username}@example.org`, password: 'correct horse' };
      const { status } = await call(services[0]!, 'POST', '/v1/auth/register', { body });
      expect(status).toBe(201);
    }
  });
  const found = async (query: string) =>
    (await get<UserPage>(`/v1/users?query=${encodeURIComponent(query)}`)).body.items.map((u) => u.username);

  test.each([
    ['SEARCH', ['search1', 'search2', 'search_3', 'searchX3']],
    ['search_', ['search_3']],
    ['e\u0301mile', ['search1']],
    ['ÉMILE z', ['search1']],
    ['full', ['search2']],
    ['張', ['search_3']],
    ['100%', ['searchX3']],
    ['%', []],
    ['_', []],
    ['\\', []],
    ["' or true", []],
  ])('for %j finds %j', async (query, usernames) => {
    expect(await found(query)).toEqual(usernames);
  });

  test('goes on from page to page', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: { body: UserPage } = await get<UserPage>(
        `/v1/users?query=search&limit=1${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...page.body.items.map((user) => user.username));
      cursor = page.body.nextCursor;
    }
    expect(seen).toEqual(['search1', 'search2', 'search_3', 'searchX3']);
  });

  test('does not find by mail address', async () => {
    expect(await found('search1@')).toEqual([]);
  });
});

describe('changing the own profile', () => {
  test('tells everybody, once', async () => {
    const heard = await listen(world.config.AMQP_URL);
    const { status, body } = await patch<Me>({ displayName: '  Alice Liddell ' });
    expect(status).toBe(200);
    expect(body).toEqual({ ...alice.user, displayName: 'Alice Liddell' });
    // The same again changes nothing and tells nobody.
    expect((await patch<Me>({ displayName: 'Alice Liddell' })).body).toEqual(body);
    expect((await patch<Me>({ username: 'alice' })).body.username).toBe('alice');
    const events = await heard.until(2, (e) => e.kind === 'user.changed' && e.user.id === alice.user.id);
    expect(
      events.map((e) => (e.kind === 'user.changed' ? [e.user.username, e.user.displayName] : [])),
    ).toEqual([
      ['Alice', 'Alice Liddell'],
      ['alice', 'Alice Liddell'],
    ]);
    await heard.close();
  });

  test('to a name that is taken is a conflict', async () => {
    expect(await patch({ username: 'BOB' })).toMatchObject({
      status: 409,
      body: { code: 'conflict', errors: [{ path: 'username', message: 'is taken' }] },
    });
  });

  test.each<[string, unknown]>([
    ['nothing', {}],
    ['an unknown field', { email: 'other@example.org' }],
    ['another id', { id: uuid(), displayName: 'x' }],
    ['an empty name', { displayName: '' }],
    ['null', { displayName: null }],
    ['a bad username', { username: '-x-' }],
  ])('refuses %s', async (_name, body) => {
    expect(await patch(body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});

test('other services learn names by asking', async () => {
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const broker = new Broker({
    url: world.config.AMQP_URL,
    service: 'notification',
    instanceId: uuid(),
    logger,
  });
  const requester = new Requester(broker, new ControlInbox(broker));
  broker.start();
  await broker.whenConnected();
  const { users } = await requester.query('auth.users', { ids: [bob.user.id, uuid()] });
  expect(users).toEqual([publicPart(bob.user)]);
  requester.stop();
  await broker.stop();
});

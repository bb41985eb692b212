import { randomUUID } from 'node:crypto';
import type { ConnectionEvent } from '@parley/contracts';
import { closeRedis, createRedis } from '@parley/service';
import { freshRedis } from '@parley/testing';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { PresenceStore } from './presence.store.redis';

const LONG_MS = 3_600_000;

let url: string;
const clients: Redis[] = [];
let store: PresenceStore;

async function connectStore(closeGraceMs: number): Promise<PresenceStore> {
  const redis = createRedis({ REDIS_URL: url });
  clients.push(redis);
  await new Promise((resolve) => redis.once('ready', resolve));
  return new PresenceStore(redis, closeGraceMs);
}

beforeAll(async () => {
  url = await freshRedis();
  store = await connectStore(0);
});

afterAll(() => Promise.all(clients.map(closeRedis)));

const event = (node: string, sequence: number, userId: string, sockets: number): ConnectionEvent => ({
  node,
  sequence,
  userId,
  sockets,
});

const statusOf = async (userId: string) => (await store.read([userId]))[0]?.status;

/** Tells everything that is to be told; gives the newest status of each user. */
async function tell(from: PresenceStore): Promise<Map<string, string>> {
  const statuses = new Map<string, string>();
  for (let told = '0'; ;) {
    const { items, revision } = await from.turn(told, 1000);
    if (revision === told) return statuses;
    for (const item of items) statuses.set(item.userId, item.status);
    told = revision;
  }
}

describe('connections', () => {
  test('somebody unknown is offline and was never seen', async () => {
    const userId = randomUUID();
    expect(await store.read([userId])).toEqual([{ userId, status: 'offline', lastSeenAt: null }]);
  });

  test('a user is online while any node has a socket, and offline after the last one', async () => {
    const [alice, a, b] = [randomUUID(), randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 2), event(b, 1, alice, 1)]);
    await store.apply([event(a, 2, alice, 0)]);
    await tell(store);
    expect(await statusOf(alice)).toBe('online');
    await store.apply([event(b, 2, alice, 0)]);
    expect((await tell(store)).get(alice)).toBe('offline');
    const [entry] = await store.read([alice]);
    expect(entry?.status).toBe('offline');
    expect(entry?.lastSeenAt).toMatch(/^\d{4}-.*Z$/);
  });

  test('what is older than what is known is ignored, a repeat changes nothing', async () => {
    const [alice, a] = [randomUUID(), randomUUID()];
    expect(await store.apply([event(a, 7, alice, 1)])).toBe(1);
    expect((await tell(store)).get(alice)).toBe('online');
    expect(await store.apply([event(a, 6, alice, 0)])).toBe(0);
    expect(await store.apply([event(a, 7, alice, 1)])).toBe(1);
    expect((await tell(store)).has(alice)).toBe(false);
    expect(await statusOf(alice)).toBe('online');
  });

  test('an absence shorter than the grace is never told', async () => {
    const patient = await connectStore(LONG_MS);
    const [alice, a, b] = [randomUUID(), randomUUID(), randomUUID()];
    await patient.apply([event(a, 1, alice, 1)]);
    await tell(patient);
    await patient.apply([event(a, 2, alice, 0)]);
    expect((await tell(patient)).has(alice)).toBe(false);
    expect(await statusOf(alice)).toBe('online');
    await patient.apply([event(b, 1, alice, 1)]);
    expect((await tell(patient)).has(alice)).toBe(false);
    expect(await patient.apply([event(b, 2, alice, 0), event(a, 3, alice, 1)])).toBe(2);
    expect((await tell(patient)).has(alice)).toBe(false);
  });

  test('any order, any repeats, any instances: the newest event of each node decides', async () => {
    const stores = [store, await connectStore(0), await connectStore(0)];
    const history = fc.array(
      fc.record({ node: fc.constantFrom('a', 'b', 'c'), sockets: fc.nat({ max: 2 }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    const run = fc.tuple(history, fc.infiniteStream(fc.nat()));
    await fc.assert(
      fc.asyncProperty(run, async ([steps, random]) => {
        const userId = randomUUID();
        const nodes = new Map(['a', 'b', 'c'].map((name) => [name, `${name}-${randomUUID()}`]));
        const events = steps.map(({ node, sockets }, i) =>
          event(nodes.get(node) as string, i + 1, userId, sockets),
        );
        const shuffled = [...events, ...events]
          .map((one) => ({ one, key: random.next().value }))
          .sort((x, y) => x.key - y.key)
          .map(({ one }) => one);
        await Promise.all(shuffled.map((one, i) => (stores[i % stores.length] ?? store).apply([one])));
        const last = new Map(events.map((one) => [one.node, one.sockets]));
        await tell(store);
        const expected = [...last.values()].some((sockets) => sockets > 0) ? 'online' : 'offline';
        expect(await statusOf(userId)).toBe(expected);
      }),
      { numRuns: 60 },
    );
  });
});

describe('choices', () => {
  test('a choice shows while connected and outlasts an absence', async () => {
    const [alice, a] = [randomUUID(), randomUUID()];
    expect((await store.choose(alice, 'dnd')).status).toBe('offline');
    expect((await tell(store)).has(alice)).toBe(false);
    await store.apply([event(a, 1, alice, 1)]);
    expect((await tell(store)).get(alice)).toBe('dnd');
    await store.apply([event(a, 2, alice, 0)]);
    expect((await tell(store)).get(alice)).toBe('offline');
    await store.apply([event(a, 3, alice, 1)]);
    expect((await tell(store)).get(alice)).toBe('dnd');
    expect((await store.choose(alice, 'online')).status).toBe('online');
    expect((await tell(store)).get(alice)).toBe('online');
  });

  test('choosing the same again is no change', async () => {
    const [alice, a] = [randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 1)]);
    await store.choose(alice, 'away');
    await tell(store);
    expect((await store.choose(alice, 'away')).status).toBe('away');
    expect((await tell(store)).has(alice)).toBe(false);
  });
});

describe('changes', () => {
  test('a change is told after Redis has lost its last moments', async () => {
    const [redis] = clients as [Redis];
    await tell(store);
    const [alice, a] = [randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 1)]);
    const kept = await Promise.all(
      (await redis.keys('*')).map(async (key) => [key, await redis.dumpBuffer(key)] as const),
    );
    await store.apply(Array.from({ length: 3 }, (_, i) => event(a, i + 2, randomUUID(), 1)));
    const { revision } = await store.turn('0', 1000);

    await redis.flushdb();
    for (const [key, value] of kept) if (value) await redis.restore(key, 0, value);
    const bob = randomUUID();
    await store.apply([event(a, 9, bob, 1)]);

    const { items } = await store.turn(revision, 1000);
    expect(items).toMatchObject([{ userId: bob, status: 'online' }]);
    await tell(store);
  });

  test('a change is given again until it was told, and one made meanwhile is not lost', async () => {
    const [alice, bob, a] = [randomUUID(), randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 1), event(a, 2, bob, 1)]);
    const first = await store.turn('0', 1000);
    expect(first.items.map((item) => item.userId)).toEqual([alice, bob]);
    expect(await store.turn('0', 1000)).toEqual(first);
    await store.choose(alice, 'away');
    const second = await store.turn(first.revision, 1000);
    expect(second.items.map((item) => [item.userId, item.status])).toEqual([[alice, 'away']]);
    expect((await store.turn(second.revision, 1000)).items).toEqual([]);
  });

  test('revisions rise over a flushed Redis', async () => {
    const [alice, bob, a] = [randomUUID(), randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 1)]);
    const before = await store.turn('0', 1000);
    await clients[0]?.flushdb();
    await store.apply([event(a, 2, bob, 1)]);
    const after = await store.turn(before.revision, 1000);
    expect(after.items.map((item) => item.userId)).toEqual([bob]);
    expect(Number(after.revision)).toBeGreaterThan(Number(before.revision));
    await tell(store);
  });
});

describe('nodes that are gone', () => {
  test('their users go offline in slices, except those who are elsewhere', async () => {
    const [dead, alive, elsewhere] = [randomUUID(), randomUUID(), randomUUID()];
    const lost = Array.from({ length: 5 }, () => randomUUID());
    await store.apply(lost.map((userId, i) => event(dead, i + 1, userId, 1)));
    await store.apply([event(dead, 6, elsewhere, 1), event(alive, 1, elsewhere, 1)]);
    await tell(store);
    expect(await store.nodes()).toEqual(expect.arrayContaining([dead, alive]));
    expect(await store.usersOf(dead)).toBe(6);
    expect(await store.drop(dead, 0, 4)).toBe(4);
    expect(await store.drop(dead, 0, 4)).toBe(2);
    const told = await tell(store);
    expect(lost.map((userId) => told.get(userId))).toEqual(lost.map(() => 'offline'));
    expect(told.has(elsewhere)).toBe(false);
    expect(await store.nodes()).not.toContain(dead);
  });

  test('only what was not announced for long enough is dropped', async () => {
    const [alice, a] = [randomUUID(), randomUUID()];
    await store.apply([event(a, 1, alice, 1)]);
    expect(await store.drop(a, LONG_MS, 100)).toBe(0);
    expect(await statusOf(alice)).toBe('online');
  });
});

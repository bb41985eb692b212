import { randomUUID } from 'node:crypto';
import { Publisher } from '@parley/broker';
import type { PresenceEntry, Problem } from '@parley/contracts';
import { loadConfig, type RunningService } from '@parley/service';
import { accessTokenFor, freshVhost, privateRedis, testKeys, until } from '@parley/testing';
import { Redis } from 'ioredis';
import { startPresence } from './app';
import { schema } from './config';
import { RealtimeNode } from './testing/realtime-node';

type RedisServer = Awaited<ReturnType<typeof privateRedis>>;

let amqpUrl: string;
let redisServer: RedisServer;
let services: RunningService[];
let nodes: RealtimeNode[];

async function start(): Promise<RunningService> {
  const { publicFile } = await testKeys();
  const config = loadConfig(schema, {
    PORT: '0',
    LOG_LEVEL: 'silent',
    AMQP_URL: amqpUrl,
    REDIS_URL: redisServer.url,
    JWT_PUBLIC_KEYS_FILE: publicFile,
    PRESENCE_CLOSE_GRACE_MS: '50',
    PRESENCE_NODE_GRACE_MS: '1000',
    PRESENCE_SPREAD_MS: '500',
    PRESENCE_BUCKET_MS: '20',
  });
  return startPresence(config, { ownsProcess: false });
}

async function startNode(): Promise<RealtimeNode> {
  const node = await RealtimeNode.start(amqpUrl);
  nodes.push(node);
  return node;
}

const service = (index = 0) => services[index] as RunningService;

async function ready(expected: number, of = service()): Promise<void> {
  const isSo = async () => (await fetch(`${of.url}/health/ready`)).status === expected;
  await until(`readiness answers with ${expected}`, isSo);
}

async function call(method: string, path: string, userId?: string, body?: unknown, of = service()) {
  const headers: Record<string, string> = {};
  if (userId) headers.authorization = `Bearer ${await accessTokenFor(userId)}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(`${of.url}${path}`, { method, headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as unknown };
}

const items = (answer: { body: unknown }) => (answer.body as { items: PresenceEntry[] }).items;
const code = (answer: { body: unknown }) => (answer.body as Problem).code;

beforeAll(async () => {
  [amqpUrl, redisServer] = await Promise.all([freshVhost(), privateRedis()]);
  nodes = [];
  services = [await start(), await start()];
  await Promise.all(services.map((one) => ready(200, one)));
});

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.kill()));
  await Promise.all(services.map((one) => one.close()));
  await redisServer.stop();
});

test('a connection is told to every node, and read over HTTP and the broker', async () => {
  const [alice, bob] = [randomUUID(), randomUUID()];
  const [here, there] = [await startNode(), await startNode()];
  here.announce(alice, 1);
  const told = await there.until(alice, 'online');
  expect(told.lastSeenAt).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
  await here.until(alice, 'online');
  const answer = await call('GET', `/v1/presence?userIds=${bob},${alice}`, bob, undefined, service(1));
  expect(answer.status).toBe(200);
  expect(items(answer)).toEqual([
    { userId: bob, status: 'offline', lastSeenAt: null },
    { userId: alice, status: 'online', lastSeenAt: told.lastSeenAt },
  ]);
  const asked = await here.requester.query('presence.get', { userIds: [alice] });
  expect(asked.items.map((item) => item.status)).toEqual(['online']);
  here.announce(alice, 0);
  await there.until(alice, 'offline');
  expect(there.statusesOf(alice)).toEqual(['online', 'offline']);
});

test('a status set over HTTP or the broker is told and nobody else is touched', async () => {
  const [alice, bob] = [randomUUID(), randomUUID()];
  const node = await startNode();
  node.announce(alice, 1);
  node.announce(bob, 1);
  await Promise.all([node.until(alice, 'online'), node.until(bob, 'online')]);
  const put = await call('PUT', '/v1/presence/me', alice, { status: 'dnd' });
  expect(put.status).toBe(200);
  expect(items(put)).toEqual([expect.objectContaining({ userId: alice, status: 'dnd' })]);
  await node.until(alice, 'dnd');
  const set = await node.requester.query('presence.set', { userId: alice, status: 'away' });
  expect(set.items[0]?.status).toBe('away');
  await node.until(alice, 'away');
  expect(node.statusesOf(bob)).toEqual(['online']);
});

test('a dead node takes its users offline, but not those who are elsewhere', async () => {
  const [lost, moved] = [randomUUID(), randomUUID()];
  const [dying, living] = [await startNode(), await startNode()];
  dying.announce(lost, 1);
  dying.announce(moved, 1);
  await Promise.all([living.until(lost, 'online'), living.until(moved, 'online')]);
  await dying.kill();
  living.announce(moved, 1);
  const told = await living.until(lost, 'offline');
  expect(told.lastSeenAt).not.toBeNull();
  expect(living.statusesOf(moved)).toEqual(['online']);
  expect(items(await call('GET', `/v1/presence?userIds=${moved}`, moved))[0]?.status).toBe('online');
});

test('of several instances one alone tells, and another goes on when it leaves', async () => {
  const publish = services.map((one) => jest.spyOn(one.app.get(Publisher), 'presence'));
  const alice = randomUUID();
  const node = await startNode();
  node.announce(alice, 1);
  await node.until(alice, 'online');
  const counts = publish.map((spy) => spy.mock.calls.length);
  expect(counts.filter((count) => count > 0)).toHaveLength(1);
  const leader = counts.findIndex((count) => count > 0);
  await service(leader).close();
  node.announce(alice, 0);
  await node.until(alice, 'offline');
  services[leader] = await start();
  await ready(200, service(leader));
});

test('a flushed Redis heals by the next announcement', async () => {
  const alice = randomUUID();
  const node = await startNode();
  node.announce(alice, 1);
  await node.until(alice, 'online');
  const redis = new Redis(redisServer.url);
  await redis.flushall();
  redis.disconnect();
  expect(items(await call('GET', `/v1/presence?userIds=${alice}`, alice))[0]?.status).toBe('offline');
  node.heard.length = 0;
  node.announce(alice, 1);
  await node.until(alice, 'online');
  expect(items(await call('GET', `/v1/presence?userIds=${alice}`, alice))[0]?.status).toBe('online');
});

test('malformed announcements harm nobody', async () => {
  const alice = randomUUID();
  const node = await startNode();
  node.announceRaw('nonsense');
  node.announceRaw([{ node: node.id, sequence: -1, userId: alice, sockets: 1 }, null, 7]);
  node.announceRaw([{ node: node.id, sequence: 1, userId: "'); FLUSHALL", sockets: 1 }]);
  node.announce(alice, 1);
  await node.until(alice, 'online');
  expect(node.statusesOf(alice)).toEqual(['online']);
});

test('bad requests are refused', async () => {
  const alice = randomUUID();
  expect(code(await call('GET', `/v1/presence?userIds=${alice}`))).toBe('unauthenticated');
  expect(code(await call('GET', '/v1/presence', alice))).toBe('invalid_request');
  expect(code(await call('GET', '/v1/presence?userIds=nobody', alice))).toBe('invalid_request');
  const many = Array.from({ length: 101 }, () => randomUUID()).join(',');
  expect(code(await call('GET', `/v1/presence?userIds=${many}`, alice))).toBe('invalid_request');
  expect(code(await call('GET', `/v1/presence?userIds=${alice}&more=1`, alice))).toBe('invalid_request');
  expect(code(await call('PUT', '/v1/presence/me', alice, { status: 'offline' }))).toBe('invalid_request');
  expect(code(await call('PUT', '/v1/presence/me', alice, { status: 'away', userId: alice }))).toBe(
    'invalid_request',
  );
});

test('with Redis dead the answer is unavailable; with Redis back everything resumes', async () => {
  const alice = randomUUID();
  const node = await startNode();
  await redisServer.stop();
  expect(await call('GET', `/v1/presence?userIds=${alice}`, alice)).toMatchObject({
    status: 503,
    body: { code: 'unavailable' },
  });
  await expect(node.requester.query('presence.set', { userId: alice, status: 'away' })).rejects.toMatchObject(
    { code: 'unavailable' },
  );
  await ready(503);
  // Announced while Redis was dead: presence keeps it and tries again.
  node.announce(alice, 1);
  await redisServer.start();
  await node.until(alice, 'online');
  await ready(200);
});

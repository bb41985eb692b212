import { randomUUID } from 'node:crypto';
import type { Notification } from '@parley/contracts';
import { freshDatabase, freshVhost, until } from '@parley/testing';
import { Instance } from './testing/instance';
import { MessagingPeer, PresencePeer, RealtimePeer } from './testing/peers';
import { settled as settle } from './testing/settled';

interface Page {
  items: Notification[];
  nextCursor: string | null;
  unreadCount: number;
}

let amqpUrl: string;
let databaseUrl: string;
let messaging: MessagingPeer;
let presence: PresencePeer;
let realtime: RealtimePeer;
let instances: Instance[];

const instance = (index = 0) => instances[index] as Instance;
const start = () => Instance.start({ DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl });
const users = <N extends number>(count: N) => Array.from({ length: count }, () => randomUUID());

async function list(userId: string, query = '', of = instance()): Promise<Page> {
  const { status, body } = await of.get<Page>(userId, `/v1/notifications${query}`);
  expect(status).toBe(200);
  return body;
}

const settled = (conversationIds: string[]) => settle({ messaging, realtime }, conversationIds);

beforeAll(async () => {
  [amqpUrl, databaseUrl] = await Promise.all([freshVhost(), freshDatabase()]);
  messaging = await new MessagingPeer(amqpUrl).start();
  presence = await new PresencePeer(amqpUrl).start();
  realtime = await new RealtimePeer(amqpUrl).start();
  instances = [await start(), await start()];
  await Promise.all(instances.map((one) => one.ready(200, 'ok')));
});

afterAll(async () => {
  await Promise.all(instances.map((one) => one.service.close()));
  await Promise.all([messaging.stop(), presence.stop(), realtime.stop()]);
});

test('who is offline gets an entry for a direct message; who is connected and who sent it get none', async () => {
  const [alice, bob, carol] = users(3) as [string, string, string];
  presence.connected.add(bob);
  const withBob = messaging.log.create('direct', [alice, bob]);
  const withCarol = messaging.log.create('direct', [alice, carol]);
  messaging.log.send(withBob, alice);
  const missed = messaging.log.send(withCarol, alice);
  messaging.publish();
  const told = await realtime.until(carol, missed.id);
  expect(told).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    type: 'message',
    conversationId: withCarol,
    messageId: missed.id,
    number: 1,
    senderId: alice,
    createdAt: missed.createdAt,
    readAt: null,
  });
  await settled([withBob, withCarol]);
  expect(await list(carol)).toEqual({ items: [told], nextCursor: null, unreadCount: 1 });
  expect(await list(carol, '', instance(1))).toEqual({ items: [told], nextCursor: null, unreadCount: 1 });
  for (const userId of [alice, bob]) {
    expect((await list(userId)).items).toEqual([]);
    expect(realtime.heardOf(userId)).toEqual([]);
  }
});

test('mentions reach members everywhere, connected or not, and nobody else', async () => {
  const [alice, bob, stranger] = users(3) as [string, string, string];
  presence.connected.add(bob);
  const channel = messaging.log.create('channel', [alice, bob, ...users(3)]);
  const message = messaging.log.send(channel, alice, [bob, stranger, alice]);
  messaging.publish();
  expect((await realtime.until(bob, message.id)).type).toBe('mention');
  await settled([channel]);
  expect((await list(bob)).items.map((item) => item.type)).toEqual(['mention']);
  for (const userId of [alice, stranger]) {
    expect((await list(userId)).items).toEqual([]);
    expect(realtime.heardOf(userId)).toEqual([]);
  }
});

test('small groups tell everybody who is offline; large groups and channels only those mentioned', async () => {
  const [alice, bob] = users(2) as [string, string];
  const small = messaging.log.create('group', [alice, bob, ...users(18)]);
  const large = messaging.log.create('group', [alice, bob, ...users(19)]);
  const channel = messaging.log.create('channel', [alice, bob]);
  const seen = messaging.log.send(small, alice);
  messaging.log.send(large, alice);
  messaging.log.send(channel, alice);
  messaging.publish();
  await realtime.until(bob, seen.id);
  await settled([small, large, channel]);
  expect((await list(bob)).items.map((item) => item.messageId)).toEqual([seen.id]);
});

test('a message meets the members of its own moment', async () => {
  const [alice, bob, carol] = users(3) as [string, string, string];
  const group = messaging.log.create('group', [alice, bob]);
  const first = messaging.log.send(group, alice);
  messaging.log.add(group, carol);
  const second = messaging.log.send(group, alice, [carol]);
  messaging.log.remove(group, carol);
  messaging.log.send(group, alice, [carol]);
  messaging.publish();
  await settled([group]);
  expect(realtime.heardOf(carol).map((item) => item.messageId)).toEqual([second.id]);
  expect(realtime.heardOf(bob)).toHaveLength(3);
  expect(realtime.heardOf(bob)[0]?.messageId).toBe(first.id);
  // What somebody has left is not theirs to see.
  expect(await list(carol)).toMatchObject({ items: [], unreadCount: 0 });
  messaging.log.add(group, carol);
  await settled([group]);
  expect((await list(carol)).items.map((item) => item.messageId)).toEqual([second.id]);
  messaging.log.delete(group);
  await settled([group]);
  expect((await list(bob)).items).toEqual([]);
});

test('a large group tells only its members, also those who came in the same batch', async () => {
  const [alice, bob, carol] = users(3) as [string, string, string];
  const group = messaging.log.create('group', [alice, bob, ...users(60)]);
  await settled([group]);
  messaging.log.add(group, carol);
  const message = messaging.log.send(group, alice, [bob, carol, randomUUID()]);
  messaging.log.remove(group, bob);
  messaging.log.send(group, alice, [bob]);
  messaging.publish();
  await realtime.until(carol, message.id);
  await settled([group]);
  expect(realtime.heardOf(bob).map((item) => item.messageId)).toEqual([message.id]);
});

test('repeats, lost rows and lost last rows: each entry exactly once', async () => {
  const [alice, bob] = users(2) as [string, string];
  const direct = messaging.log.create('direct', [alice, bob]);
  const first = messaging.log.send(direct, alice);
  messaging.publish();
  await realtime.until(bob, first.id);
  const lost = messaging.log.send(direct, alice);
  messaging.skip();
  const third = messaging.log.send(direct, alice);
  messaging.publish();
  messaging.repeat();
  await realtime.until(bob, third.id);
  const last = messaging.log.send(direct, alice);
  messaging.skip();
  messaging.announceHeads();
  messaging.announceHeads();
  await realtime.until(bob, last.id);
  messaging.repeat();
  await settled([direct]);
  const expected = [first, lost, third, last].map((message) => message.id);
  expect(realtime.heardOf(bob).map((item) => item.messageId)).toEqual(expected);
  expect((await list(bob)).items.map((item) => item.messageId).sort()).toEqual([...expected].sort());
});

test('another instance goes on where one has left', async () => {
  const [alice, bob] = users(2) as [string, string];
  const conversations = Array.from({ length: 16 }, () => messaging.log.create('direct', [alice, bob]));
  await settled(conversations);
  await instance(1).service.close();
  const sent = conversations.map((id) => messaging.log.send(id, alice));
  messaging.publish();
  await Promise.all(sent.map((message) => realtime.until(bob, message.id)));
  instances[1] = await start();
  await instance(1).ready(200, 'ok');
  const more = conversations.map((id) => messaging.log.send(id, alice));
  messaging.publish();
  await Promise.all(more.map((message) => realtime.until(bob, message.id)));
  await settled(conversations);
  expect(realtime.heardOf(bob)).toHaveLength(32);
});

test('pages, read marks, and only the newest entries are kept', async () => {
  const [alice, bob, carol] = users(3) as [string, string, string];
  const direct = messaging.log.create('direct', [alice, bob]);
  let minute = Date.now() - 40 * 1000;
  messaging.log.clock = () => (minute += 1000);
  const sent = Array.from({ length: 35 }, () => messaging.log.send(direct, alice));
  messaging.log.clock = () => Date.now();
  await settled([direct]);
  const kept = sent.slice(-30).reverse();
  await until('what is old is dropped', async () => {
    await settled([direct]);
    return (await list(bob)).unreadCount <= 30;
  });

  const pages: Notification[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Page = await list(bob, `?limit=12${cursor && `&cursor=${cursor}`}`);
    pages.push(...page.items);
    cursor = page.nextCursor;
  }
  expect(pages.map((item) => item.messageId)).toEqual(kept.map((message) => message.id));

  const read = (userId: string, body: unknown) =>
    instance().put<{ unreadCount: number }>(userId, '/v1/notifications/read', body);
  const ids = pages.slice(0, 2).map((item) => item.id);
  // Somebody else's entries stay as they are.
  expect((await read(carol, { ids })).body).toEqual({ unreadCount: 0 });
  expect((await read(carol, { upTo: ids[0] })).body).toEqual({ unreadCount: 0 });
  expect((await read(bob, { ids: [...ids, randomUUID()] })).body).toEqual({ unreadCount: 28 });
  expect((await read(bob, { ids })).body).toEqual({ unreadCount: 28 });
  expect((await read(bob, { upTo: randomUUID() })).body).toEqual({ unreadCount: 28 });
  expect((await read(bob, { upTo: pages[10]?.id })).body).toEqual({ unreadCount: 8 });
  const after = (await list(bob)).items;
  expect(after.map((item) => item.readAt !== null)).toEqual(pages.map((_, i) => i < 2 || i >= 10));
});

test('bad requests are refused', async () => {
  const [alice] = users(1) as [string];
  const code = async (answer: Promise<{ body: { code: string } }>) => (await answer).body.code;
  const read = (body: unknown) => code(instance().put(alice, '/v1/notifications/read', body));
  expect(await code(instance().get(undefined, '/v1/notifications'))).toBe('unauthenticated');
  for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=AAAA', 'cursor=', 'userId=1']) {
    expect(await code(instance().get(alice, `/v1/notifications?${query}`))).toBe('invalid_request');
  }
  const badDate = Buffer.from(`2026-13-45T00:00:00.000Z 1 ${alice}`).toString('base64url');
  expect(await code(instance().get(alice, `/v1/notifications?cursor=${badDate}`))).toBe('invalid_request');
  for (const body of [{}, { ids: [] }, { ids: ['x'] }, { ids: [alice], upTo: alice }, { upTo: 1 }, []]) {
    expect(await read(body)).toBe('invalid_request');
  }
  expect(await read({ ids: Array.from({ length: 101 }, () => alice) })).toBe('invalid_request');
});

import { randomUUID } from 'node:crypto';
import { type Message, type Notification, partitionOf } from '@parley/contracts';
import { type Interruptible, freshDatabase, freshVhost, interruptible, until } from '@parley/testing';
import { Client } from 'pg';
import { Instance } from './testing/instance';
import { LogWriter, neighbourOf } from './testing/log';
import { MessagingPeer, PresencePeer, RealtimePeer } from './testing/peers';
import { settled as settle } from './testing/settled';

interface Page {
  items: Notification[];
  unreadCount: number;
}

const HOUR_MS = 3_600_000;

let amqpUrl: string;
let databaseUrl: string;
let database: Interruptible;
let broker: Interruptible;
let messaging: MessagingPeer;
let presence: PresencePeer;
let realtime: RealtimePeer;
let instance: Instance;
let alice: string;
let bob: string;

const list = async (userId: string) => (await instance.get<Page>(userId, '/v1/notifications')).body;
const messageIds = async (userId: string) => (await list(userId)).items.map((item) => item.messageId);
const ids = (messages: Message[]) => messages.map((message) => message.id);

const settled = (conversationId: string) => settle({ messaging, realtime }, [conversationId]);

async function sql<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query(text, values)).rows as Row[];
  } finally {
    await client.end();
  }
}

beforeAll(async () => {
  [amqpUrl, databaseUrl] = await Promise.all([freshVhost(), freshDatabase()]);
  [database, broker] = await Promise.all([interruptible(databaseUrl), interruptible(amqpUrl)]);
  messaging = await new MessagingPeer(amqpUrl).start();
  presence = await new PresencePeer(amqpUrl).start();
  realtime = await new RealtimePeer(amqpUrl).start();
  instance = await Instance.start({ DATABASE_URL: database.url, AMQP_URL: broker.url });
});

afterAll(async () => {
  await instance.service.close();
  await Promise.all([messaging.stop(), presence.stop(), realtime.stop()]);
  await Promise.all([database.close(), broker.close()]);
});

beforeEach(async () => {
  [alice, bob] = [randomUUID(), randomUUID()];
  await instance.ready(200, 'ok');
});

test('with the database cut or frozen the answer is unavailable; afterwards nothing is missing', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  const sent = [messaging.log.send(direct, alice)];
  await settled(direct);
  await instance.shows('notification_parked_events', 0);
  for (const outage of [() => database.cut(), () => Promise.resolve(database.freeze())]) {
    await outage();
    expect(await instance.get(bob, '/v1/notifications')).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    const read = await instance.put(bob, '/v1/notifications/read', { upTo: alice });
    expect(read.body.code).toBe('unavailable');
    await instance.ready(503);
    expect(await instance.metric('notification_parked_events')).toBe(0);
    sent.push(messaging.log.send(direct, alice));
    messaging.publish();
    await database.restore();
    await instance.ready(200);
    await realtime.until(bob, sent.at(-1)?.id ?? '');
  }
  await settled(direct);
  expect(realtime.heardOf(bob).map((item) => item.messageId)).toEqual(ids(sent));
  expect((await messageIds(bob)).reverse()).toEqual(ids(sent));
});

test('with the broker cut lists can be read; afterwards nothing is missing', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  const first = messaging.log.send(direct, alice);
  await settled(direct);
  await broker.cut();
  await instance.ready(503);
  expect(await messageIds(bob)).toEqual([first.id]);
  const second = messaging.log.send(direct, alice);
  messaging.skip();
  await broker.restore();
  await instance.ready(200, 'ok');
  await settled(direct);
  expect(realtime.heardOf(bob).map((item) => item.messageId)).toEqual(ids([first, second]));
});

test('connected users are asked for in bulk, not for each message', async () => {
  const people = Array.from({ length: 30 }, () => randomUUID());
  for (const userId of people) presence.connected.add(userId);
  const directs = people.slice(1).map((userId) => messaging.log.create('direct', [people[0] ?? '', userId]));
  const asked = presence.asked.length;
  for (let round = 0; round < 20; round++)
    for (const direct of directs) messaging.log.send(direct, people[round % 2 ? 0 : 1] ?? '');
  for (const direct of directs) await settled(direct);
  expect(presence.asked.length - asked).toBeLessThan(directs.length * 2);
  for (const userId of people) expect(realtime.heardOf(userId)).toEqual([]);
});

test('old messages are stored and not pushed, and only for those who have not been seen since', async () => {
  const [seenSince, mentioned, neverSeen] = [randomUUID(), randomUUID(), randomUUID()];
  presence.lastSeenAt.set(bob, new Date(Date.now() - 3 * HOUR_MS).toISOString());
  presence.lastSeenAt.set(seenSince, new Date(Date.now() - HOUR_MS).toISOString());
  presence.lastSeenAt.set(mentioned, new Date(Date.now() - HOUR_MS).toISOString());
  messaging.log.clock = () => Date.now() - 2 * HOUR_MS;
  const group = messaging.log.create('group', [alice, bob, seenSince, mentioned, neverSeen]);
  const message = messaging.log.send(group, alice, [mentioned]);
  messaging.log.clock = () => Date.now();
  const recent = messaging.log.send(group, alice);
  await settled(group);
  expect(await messageIds(bob)).toEqual(ids([recent, message]));
  expect(await messageIds(mentioned)).toEqual(ids([recent, message]));
  // Of the latter presence may have lost, with Redis, when they were seen.
  for (const userId of [seenSince, neverSeen]) expect(await messageIds(userId)).toEqual(ids([recent]));
  for (const userId of [bob, mentioned, seenSince, neverSeen]) {
    await realtime.until(userId, recent.id);
    expect(realtime.heardOf(userId).map((item) => item.messageId)).toEqual([recent.id]);
  }
});

test('a row that nobody can apply is put aside, and its neighbours are applied', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  const first = messaging.log.send(direct, alice);
  messaging.log.breakRow(direct, { kind: 'message.created', version: 9 });
  messaging.log.breakRow(direct, { kind: 'message.created', version: 9, message: { ...first, id: 'no id' } });
  messaging.log.breakRow(direct, { kind: 'nonsense' });
  const last = messaging.log.send(direct, alice);
  await settled(direct);
  expect((await messageIds(bob)).reverse()).toEqual(ids([first, last]));
  const parked = await sql('select reason from notification.parked_events where partition = $1', [
    partitionOf(direct),
  ]);
  expect(parked).toHaveLength(3);
});

test('a row of a later release is put aside for it, although the database would take the rest', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  messaging.log.breakRow(direct, { kind: 'message.translated', version: 2 });
  const message = messaging.log.send(direct, alice);
  await settled(direct);
  expect(await messageIds(bob)).toContain(message.id);
  const parked = await sql<{ position: string }>(
    `select position from notification.parked_events where partition = $1 and reason like '%kind%'`,
    [partitionOf(direct)],
  );
  expect(parked.length).toBeGreaterThan(0);
});

test('names follow the newest event, whatever comes again or broken', async () => {
  const put = (sequence: number, displayName: string) => ({
    kind: 'user.changed',
    sequence,
    at: new Date().toISOString(),
    user: { id: bob, username: 'bob', displayName },
  });
  const tell = (body: unknown) => messaging.broker.publishConfirmed('parley.accounts', 'user.changed', body);
  for (const body of [put(1, 'Bob'), put(3, 'Bobby'), put(2, 'Rob'), 'nonsense', put(3, 'Bobby')])
    await tell(body);
  const stored = () =>
    sql<{ display_name: string }>('select display_name from notification.profiles where user_id = $1', [bob]);
  await tell(put(4, 'Robert'));
  await until('the newest name is stored', async () => (await stored())[0]?.display_name === 'Robert');
  await tell(put(3, 'Bobby'));
  const last = { ...put(1, 'Last'), user: { id: alice, username: 'alice', displayName: 'Last' } };
  await tell(last);
  const known = () => sql('select from notification.profiles where user_id = $1', [alice]);
  await until('the last name is stored', async () => (await known()).length > 0);
  expect(await stored()).toEqual([{ display_name: 'Robert' }]);
});

test('presence that fails or does not answer holds nobody up: recent messages count as missed', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  for (const trouble of [
    () => Promise.reject(new Error('broken')),
    () => new Promise<never>(() => undefined),
  ]) {
    presence.trouble = trouble;
    const message = messaging.log.send(direct, alice);
    messaging.publish();
    await realtime.until(bob, message.id);
  }
  presence.trouble = undefined;
});

test('what the database has lost comes again from the log, also where nothing new comes', async () => {
  const carol = randomUUID();
  const direct = messaging.log.create('direct', [alice, bob]);
  const partition = partitionOf(direct);
  const position = () => messaging.log.rows.get(partition)?.length ?? 0;
  // As a replica that had not got it yet when it took over.
  const lose = async (after: number, entries: Message[], members: string[] = []) => {
    await sql('delete from notification.notifications where message_id = any($1)', [ids(entries)]);
    await sql('delete from notification.members where user_id = any($1)', [members]);
    await sql(
      'update notification.feed_positions set position = $2, revision = revision + 1 where partition = $1',
      [partition, after],
    );
  };
  const kept = messaging.log.send(direct, alice);
  const first = position();
  const lost = messaging.log.send(direct, alice);
  await settled(direct);
  await lose(first, [lost]);
  const next = messaging.log.send(direct, alice);
  messaging.publish();
  await realtime.until(bob, next.id);
  expect((await messageIds(bob)).reverse()).toEqual(ids([kept, lost, next]));

  const second = position();
  const group = messaging.log.create('group', [alice, carol], neighbourOf(direct));
  await settled(group);
  await lose(second, [], [carol]);
  await until('the membership is back', async () => {
    const members = await sql('select from notification.members where user_id = $1', [carol]);
    return members.length === 1;
  });
  const last = messaging.log.send(group, alice);
  messaging.publish();
  await realtime.until(carol, last.id);
});

// Last, since it replaces the log.
test('after a restore the copies are built anew and nobody is told twice', async () => {
  const carol = randomUUID();
  const direct = messaging.log.create('direct', [alice, bob]);
  const sent = [messaging.log.send(direct, alice), messaging.log.send(direct, alice)];
  const group = messaging.log.create('group', [alice, bob, carol], neighbourOf(direct));
  const lost = messaging.log.send(group, alice);
  await settled(direct);
  const first = (await list(bob)).items.find((item) => item.messageId === sent[0]?.id);
  await instance.put(bob, '/v1/notifications/read', { ids: [first?.id] });
  const before = await list(bob);

  // The backup knows the direct conversation and nothing of the group.
  const backup = new LogWriter();
  const kept = messaging.log.rows.get(partitionOf(direct)) ?? [];
  const isKept = (row: (typeof kept)[number]) => row.conversationId !== group;
  const rows = kept.filter(isKept).map((row, i) => ({ ...row, position: i + 1 }));
  backup.rows.set(partitionOf(direct), rows);
  messaging.log = backup;
  messaging.epoch = 'epoch-2';
  messaging.announceHeads();
  const channel = messaging.log.create('channel', [bob], neighbourOf(direct));
  const mention = messaging.log.send(channel, alice, [bob]);
  messaging.skip();
  messaging.announceHeads();
  await realtime.until(bob, mention.id);

  expect(realtime.heardOf(bob).map((item) => item.messageId)).toEqual(ids([...sent, lost, mention]));
  const after = await list(bob);
  // The group is gone, and its entry with it; what was read stays read.
  expect(after.items.slice(1)).toEqual(before.items.filter((item) => item.messageId !== lost.id));
  expect(await messageIds(carol)).toEqual([]);
  expect(after.unreadCount).toBe(2);
});

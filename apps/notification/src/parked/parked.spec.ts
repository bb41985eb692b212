import { randomUUID } from 'node:crypto';
import { type Message, type Notification, partitionOf } from '@parley/contracts';
import { freshDatabase, freshVhost } from '@parley/testing';
import { Instance } from '../testing/instance';
import { LogWriter, neighbourOf } from '../testing/log';
import { MessagingPeer, PresencePeer, RealtimePeer } from '../testing/peers';
import { settled as settle } from '../testing/settled';
import { parkedEvents } from './parked.command';
import { usage } from './parked.options';

interface Answer {
  code: number;
  lines: Record<string, unknown>[];
  trouble: string;
}

const HOUR_MS = 3_600_000;
const ROW = { kind: 'of.later', conversationId: expect.any(String) };

let environment: NodeJS.ProcessEnv;
let messaging: MessagingPeer;
let presence: PresencePeer;
let realtime: RealtimePeer;
let instance: Instance;
let alice: string;
let bob: string;
let carol: string;

/** Runs the command as an operator does, beside the instance. */
async function operate(line: string, settings = environment): Promise<Answer> {
  const lines: Record<string, unknown>[] = [];
  const trouble: string[] = [];
  const code = await parkedEvents(line.split(' '), settings, {
    say: (answer) => lines.push(JSON.parse(JSON.stringify(answer)) as Record<string, unknown>),
    complain: (text) => trouble.push(text),
  });
  return { code, lines, trouble: trouble.join('\n') };
}

/** What `list` says of the conversation's partition, and how its newest row is named. */
async function listed(conversationId: string) {
  const { lines } = await operate('list');
  const partition = partitionOf(conversationId);
  const isOfPartition = ({ event }: Record<string, unknown>) => String(event).startsWith(`${partition}/`);
  return lines.slice(1).filter(isOfPartition);
}
const nameOfLast = (conversationId: string) => {
  const partition = partitionOf(conversationId);
  return `${partition}/${messaging.log.rows.get(partition)?.length}`;
};

const settled = (conversationId: string) => settle({ messaging, realtime }, [conversationId]);

/** An id of a conversation in the same partition. */
const idsOf = (messages: Message[]) => messages.map(({ id }) => id);

async function entriesOf(userId: string): Promise<string[]> {
  const { body } = await instance.get<{ items: Notification[] }>(userId, '/v1/notifications');
  return body.items.map(({ messageId }) => messageId).reverse();
}

/** Of conversations that were written to in one moment: they have no order among each other. */
const sorted = async (ids: Promise<string[]> | string[]) => [...(await ids)].sort();

beforeAll(async () => {
  const [amqpUrl, databaseUrl] = await Promise.all([freshVhost(), freshDatabase()]);
  environment = { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl };
  messaging = await new MessagingPeer(amqpUrl).start();
  presence = await new PresencePeer(amqpUrl).start();
  realtime = await new RealtimePeer(amqpUrl).start();
  instance = await Instance.start(environment);
  await instance.ready(200, 'ok');
});

afterAll(async () => {
  await instance.service.close();
  await Promise.all([messaging.stop(), presence.stop(), realtime.stop()]);
});

beforeEach(() => {
  [alice, bob, carol] = [randomUUID(), randomUUID(), randomUUID()];
});

test('a message is listed with its reason, stays while it is broken, and is told once it is mended', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  const first = messaging.log.send(direct, alice);
  const event = nameOfLast(direct);
  const mend = messaging.log.breakLast(direct);
  await settled(direct);
  expect(await entriesOf(bob)).toEqual([]);
  const { lines } = await operate('list');
  expect(lines[0]).toEqual({ parked: 1, kinds: { 'of.later': 1 }, since: expect.any(String) });
  const reason = expect.stringMatching(/^kind: /);
  const parked = { ...ROW, event, epoch: 'epoch-1', conversationId: direct, reason };
  expect(lines.slice(1)).toEqual([{ ...parked, attempts: 0, parkedAt: lines[0]?.since, triedAt: null }]);
  await instance.shows('notification_parked_events', 1);

  expect(await operate(`replay ${event}`)).toEqual({
    code: 1,
    lines: [{ ...ROW, event, applied: false, reason, attempts: 1 }],
    trouble: '',
  });
  expect(await listed(direct)).toMatchObject([{ ...parked, attempts: 1, triedAt: expect.any(String) }]);

  mend();
  const second = messaging.log.send(direct, alice);
  await settled(direct);
  expect(await operate(`replay ${event}`)).toMatchObject({
    code: 0,
    lines: [{ event, applied: true, entries: 1 }],
  });
  expect((await realtime.until(bob, first.id)).number).toBe(1);
  expect(await entriesOf(bob)).toEqual(idsOf([first, second]));
  expect(await operate(`replay ${event}`)).toEqual({
    code: 1,
    lines: [],
    trouble: `${event} is not parked.`,
  });
  expect(await operate('replay --all')).toEqual({ code: 0, lines: [], trouble: '' });
  await instance.shows('notification_parked_events', 0);
});

test('two operators at once do no harm: an entry is made once, and told once', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  const message = messaging.log.send(direct, alice);
  const event = nameOfLast(direct);
  const mend = messaging.log.breakLast(direct);
  await settled(direct);
  mend();
  const answers = await Promise.all([operate(`replay ${event}`), operate(`replay ${event}`)]);
  const entries = answers.flatMap(({ lines }) => lines.map((line) => Number(line.entries)));
  expect(entries.reduce((sum, count) => sum + count, 0)).toBe(1);
  await settled(direct);
  expect(await entriesOf(bob)).toEqual([message.id]);
  expect(realtime.heardOf(bob)).toHaveLength(1);
});

test('a creation brings the entries of all messages that were passed over, and the feed goes on by it', async () => {
  const group = messaging.log.create('group', [alice, bob, carol]);
  const mend = messaging.log.breakLast(group);
  const passed = [messaging.log.send(group, alice), messaging.log.send(group, alice)];
  messaging.log.remove(group, carol);
  const afterwards = messaging.log.send(group, alice);
  await settled(group);
  expect(await entriesOf(bob)).toEqual([]);
  mend();
  expect(await operate('replay --all')).toMatchObject({ code: 0, lines: [{ applied: true, entries: 5 }] });
  const next = messaging.log.send(group, alice);
  await settled(group);
  expect(await entriesOf(bob)).toEqual(idsOf([...passed, afterwards, next]));
  messaging.log.add(group, carol);
  await settled(group);
  expect(await entriesOf(carol)).toEqual(idsOf(passed));
});

test('who was added is told of what comes, although an instance remembers the group without them', async () => {
  const group = messaging.log.create('group', [alice, bob]);
  messaging.log.send(group, alice);
  messaging.log.add(group, carol);
  const mend = messaging.log.breakLast(group);
  const missed = messaging.log.send(group, alice);
  await settled(group);
  expect(await entriesOf(carol)).toEqual([]);
  mend();
  expect(await operate('replay --all')).toMatchObject({ code: 0, lines: [{ applied: true, entries: 1 }] });
  const next = messaging.log.send(group, alice);
  await settled(group);
  expect(await entriesOf(carol)).toEqual(idsOf([missed, next]));
  expect(await entriesOf(bob)).toHaveLength(3);
});

test('a change of memberships overwrites nothing newer', async () => {
  const group = messaging.log.create('group', [alice, bob]);
  messaging.log.add(group, carol);
  const mend = messaging.log.breakLast(group);
  messaging.log.remove(group, carol);
  await settled(group);
  mend();
  expect(await operate('replay --all')).toMatchObject({ code: 0, lines: [{ applied: true, entries: 0 }] });
  messaging.log.send(group, alice, [carol]);
  await settled(group);
  expect(realtime.heardOf(carol)).toEqual([]);
});

test('a message meets the members of its time', async () => {
  const [dave, erin] = [randomUUID(), randomUUID()];
  const group = messaging.log.create('group', [alice, bob, carol, erin]);
  const channel = messaging.log.create('channel', [alice, bob, carol, erin], neighbourOf(group));
  const inGroup = messaging.log.send(group, alice);
  const mends = [messaging.log.breakLast(group)];
  const inChannel = messaging.log.send(channel, alice, [bob, carol, dave]);
  mends.push(messaging.log.breakLast(channel));
  for (const id of [group, channel]) {
    messaging.log.add(id, dave);
    messaging.log.remove(id, carol);
  }
  await settled(group);
  for (const mend of mends) mend();
  const answer = await operate('replay --all');
  expect(answer).toMatchObject({ code: 0, lines: [{ entries: 3 }, { entries: 2 }] });
  const both = await sorted(idsOf([inGroup, inChannel]));
  expect(await sorted(entriesOf(bob))).toEqual(both);
  expect(await entriesOf(dave)).toEqual([]);
  for (const id of [group, channel]) messaging.log.add(id, carol);
  await settled(group);
  expect(await sorted(entriesOf(carol))).toEqual(both);
});

test('of old messages nobody is told who has been there since, and all of it stays without presence', async () => {
  presence.lastSeenAt.set(bob, new Date(Date.now() - 3 * HOUR_MS).toISOString());
  presence.lastSeenAt.set(carol, new Date(Date.now() - HOUR_MS).toISOString());
  messaging.log.clock = () => Date.now() - 2 * HOUR_MS;
  const group = messaging.log.create('group', [alice, bob, carol]);
  const old = messaging.log.send(group, alice);
  const mend = messaging.log.breakLast(group);
  messaging.log.clock = () => Date.now();
  await settled(group);
  mend();
  presence.trouble = () => Promise.reject(new Error('broken'));
  const event = nameOfLast(group).replace(/\d+$/, (last) => String(Number(last) - 2));
  expect(await operate('replay --all')).toMatchObject({
    code: 1,
    lines: [{ event, applied: false, reason: 'presence does not say who was offline', attempts: 1 }],
  });
  presence.trouble = undefined;
  expect(await operate('replay --all')).toMatchObject({
    code: 0,
    lines: [{ event, applied: true, entries: 1 }],
  });
  expect(await entriesOf(bob)).toEqual([old.id]);
  expect(await entriesOf(carol)).toEqual([]);
  expect(realtime.heardOf(bob)).toEqual([]);
});

test('one event is discarded by its name, and its neighbour stays', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  messaging.log.send(direct, alice);
  const event = nameOfLast(direct);
  messaging.log.breakLast(direct);
  messaging.log.send(direct, alice);
  const neighbour = nameOfLast(direct);
  const mend = messaging.log.breakLast(direct);
  await settled(direct);
  expect(await operate(`discard ${event}`)).toMatchObject({
    code: 0,
    lines: [{ ...ROW, event, discarded: true }],
  });
  expect(await listed(direct)).toMatchObject([{ event: neighbour }]);
  expect(await operate(`discard ${event}`)).toEqual({
    code: 1,
    lines: [],
    trouble: `${event} is not parked.`,
  });
  mend();
  expect(await operate('replay --all')).toMatchObject({ code: 0, lines: [{ event: neighbour }] });
});

test('a wrong line says how it is to be, and nothing is done', async () => {
  for (const [line, what] of [
    ['', 'There is no .'],
    ['forget', 'There is no forget.'],
    ['list 17/1', '17/1 is too much: list takes no event.'],
    ['list --limit 0', '--limit must be a whole number from 1 to 10000.'],
    ['list --all', '--all is an option of replay.'],
    ['replay', 'replay takes either one event or --all.'],
    ['replay --all 17/1', 'replay takes either one event or --all.'],
    ['replay 64/1', '64/1 is no event: write PARTITION/POSITION as list does, for example 17/4711.'],
    ['replay 1/1 1/2', '1/2 is too much.'],
    ['discard', 'discard takes the event that is to be forgotten.'],
    ['discard --all', '--all is an option of replay.'],
  ] as const)
    expect(await operate(line)).toEqual({ code: 2, lines: [], trouble: `${what}\n${usage}` });
  expect(await operate('list --everything')).toMatchObject({ code: 2, lines: [] });
});

test('what is missing is named: settings, and servers that are away', async () => {
  const nowhere = 'postgres://localhost:1/parley';
  expect(await operate('list', {})).toMatchObject({
    code: 2,
    trouble: expect.stringContaining('DATABASE_URL: is required'),
  });
  expect(await operate('list', { DATABASE_URL: nowhere })).toMatchObject({
    code: 3,
    trouble: 'PostgreSQL is away or too slow (ECONNREFUSED).',
  });
  expect(await operate('replay --all', { ...environment, AMQP_URL: 'amqp://localhost:1' })).toMatchObject({
    code: 3,
    trouble: expect.stringMatching(/broker: cannot connect[^]*RabbitMQ cannot be reached\./),
  });
});

// Last, since it replaces the log.
test('with a new epoch what was parked of the former one is forgotten: all is read anew', async () => {
  const direct = messaging.log.create('direct', [alice, bob]);
  messaging.log.send(direct, alice);
  messaging.log.breakLast(direct);
  await settled(direct);
  expect(await listed(direct)).toHaveLength(1);
  messaging.log = new LogWriter();
  messaging.epoch = 'epoch-2';
  messaging.announceHeads();
  const channel = messaging.log.create('channel', [bob], neighbourOf(direct));
  const message = messaging.log.send(channel, alice, [bob]);
  messaging.skip();
  messaging.announceHeads();
  await realtime.until(bob, message.id);
  expect(await listed(direct)).toEqual([]);
});

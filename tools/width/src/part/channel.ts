import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Conversation, Member } from '@parley/contracts';
import { CpuMeter, mapBounded, pidsOf, requestJson } from '@parley/tool-load';
import type { Seat } from '../crowd/member';
import { figure, type Finding, hard, type PartResult, time } from '../finding';
import { sumOf } from '../measure/database';
import type { Stage } from '../stage';

const PARALLEL = 64;
const ADD_PARALLEL = 16;
const MESSAGES = 300;
const SEND_PARALLEL = 4;
const DELIVER_MS_MAX = 30_000;
/** A mention tells, a plain message in a channel does not. */
const MENTIONS = 50;
const TYPISTS = 200;
const TYPING_MS = 2_000;
const PAGE = 100;

/** A large channel of which a part is connected: what one message, one join and one typist cost there. */
export async function channel(stage: Stage): Promise<PartResult> {
  const { options, say, database } = stage;
  const members = stage.people.slice(0, options.members);
  const connected = Math.min(options.connected, members.length);
  say(`Adding ${members.length} members, ${connected} of them connected`);
  const made = await make(stage, members.length);
  const urls = stage.system.apps.of('realtime').map(({ url }) => url);
  const seats: Seat[] = members
    .slice(-connected)
    .map((person, i) => ({ ...person, urls: [urls[i % urls.length] as string], follows: false }));
  const crowds = stage.crowds(seats.length);
  try {
    await crowds.enter(seats, PARALLEL);
    const findings = [
      time('adding a member', made.msEach, 'ms', 50),
      hard('rows written a member', made.rowsEach, '', 8),
      ...(await talk()),
      ...(await mentions()),
      ...(await lists(stage, made.conversation.id)),
      ...(await joins()),
      ...(await typing()),
    ];
    return { part: 'channel', findings, notes: [] };
  } finally {
    crowds.end();
  }

  async function send(index: number, mentions: string[] = []): Promise<void> {
    const sender = stage.person(1 + (index % 10));
    const path = `/v1/conversations/${made.conversation.id}/messages`;
    const body = { clientMessageId: randomUUID(), body: `Message ${index}`, mentions };
    await stage.ask(sender, 'POST', 'messaging', path, body);
  }

  async function delivered(count: number): Promise<number> {
    const took = await crowds.until(
      ({ events }) => (events['message:created']?.count ?? 0) >= count * connected,
      DELIVER_MS_MAX,
    );
    return took ?? Infinity;
  }

  async function talk(): Promise<Finding[]> {
    await crowds.reset();
    await database.reset();
    const meter = new CpuMeter(pidsOf(stage.system));
    const start = performance.now();
    await mapBounded(Array.from({ length: MESSAGES }), SEND_PARALLEL, (_, index) => send(index));
    await delivered(MESSAGES);
    const seconds = (performance.now() - start) / 1000;
    const cpu = meter.used();
    await delay(2_000);
    const statements = await database.statements();
    const written = sumOf(statements.filter(({ text }) => /^(with|insert|update|delete)/i.test(text)));
    const event = (await crowds.look()).events['message:created'] ?? { count: 0, bytes: 0 };
    const deliveries = MESSAGES * connected;
    return [
      hard('deliveries missing or too many', Math.abs(event.count - deliveries), '', 0),
      figure('deliveries a second', deliveries / seconds, ''),
      time('CPU of realtime a delivery', (cpu.byName.get('realtime') ?? 0) / deliveries, 'µs', 40),
      hard('bytes a delivery', event.bytes / event.count, 'B', 700),
      hard('pages touched a message', sumOf(statements).pages / MESSAGES, '', 400),
      hard('writing statements a message', written.calls / MESSAGES, '', 4),
    ];
  }

  async function mentions(): Promise<Finding[]> {
    await crowds.reset();
    await database.reset();
    const mentioned = members.slice(-MENTIONS).map(({ userId }) => userId);
    await send(0, mentioned);
    await delivered(1);
    await crowds.until(
      ({ events }) => (events['notification:created']?.count ?? 0) >= mentioned.length,
      DELIVER_MS_MAX,
    );
    await delay(1_000);
    const count = (await crowds.look()).events['notification:created']?.count ?? 0;
    return [hard('notifications of a message with 50 mentions', count, '', mentioned.length)];
  }

  async function joins(): Promise<Finding[]> {
    const person = stage.person(5);
    const path = `/v1/conversations/${made.conversation.id}`;
    await crowds.reset();
    await database.reset();
    const start = performance.now();
    for (let i = 0; i < 10; i++) {
      await stage.ask(person, 'DELETE', 'messaging', `${path}/members/${person.userId}`);
      await stage.ask(person, 'POST', 'messaging', `${path}/join`);
    }
    const msEach = (performance.now() - start) / 20;
    await delay(1_000);
    const { events } = await crowds.look();
    const frames = Object.values(events).reduce((sum, { count }) => sum + count, 0);
    return [
      time('leaving or joining', msEach, 'ms', 50),
      hard('frames to the others a leave or join', (frames - (events['position']?.count ?? 0)) / 20, '', 0),
      hard('pages touched a leave or join', sumOf(await database.statements()).pages / 20, '', 400),
    ];
  }

  async function typing(): Promise<Finding[]> {
    await crowds.reset();
    const each = Math.ceil(TYPISTS / (await crowds.say(0, 'typing:start', {})));
    await crowds.say(each, 'typing:start', { conversationId: made.conversation.id });
    await delay(TYPING_MS);
    const count = (await crowds.look()).events['typing:changed']?.count ?? 0;
    return [hard(`typists shown to a member when ${TYPISTS} type`, count / connected, '', 20)];
  }
}

async function make(stage: Stage, count: number) {
  const owner = stage.person(0);
  const { conversation } = await requestJson<{ conversation: Conversation }>(
    'POST',
    `${stage.instance('messaging').url}/v1/conversations`,
    {
      accessToken: stage.tokenOf(owner),
      headers: { 'idempotency-key': randomUUID() },
      body: { type: 'channel', title: 'Everybody', visibility: 'public' },
    },
  );
  await stage.database.reset();
  const start = performance.now();
  await mapBounded(stage.people.slice(1, count), ADD_PARALLEL, ({ userId }) =>
    stage.ask(owner, 'PUT', 'messaging', `/v1/conversations/${conversation.id}/members/${userId}`),
  );
  const msEach = (performance.now() - start) / (count - 1);
  const statements = await stage.database.statements();
  const written = sumOf(statements.filter(({ text }) => /^(with|insert|update|delete)/i.test(text)));
  return { conversation, msEach: msEach * ADD_PARALLEL, rowsEach: written.rows / (count - 1) };
}

async function lists(stage: Stage, conversationId: string): Promise<Finding[]> {
  const reader = stage.person(1);
  await stage.database.reset();
  const start = performance.now();
  let pages = 0;
  let found = 0;
  for (let cursor: string | null = ''; cursor !== null; pages++) {
    const query = `limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
    const page: { items: Member[]; nextCursor: string | null } = await stage.ask(
      reader,
      'GET',
      'messaging',
      `/v1/conversations/${conversationId}/members?${query}`,
    );
    found += page.items.length;
    cursor = page.nextCursor;
  }
  const used = await stage.database.used('select user_id, role, joined_at from memberships');
  return [
    hard('members that its pages leave out', stage.options.members - found, '', 0),
    time('a page of 100 members', (performance.now() - start) / pages, 'ms', 50),
    hard('rows read a page', used.rows / pages, '', PAGE + 1),
    hard('pages touched a page', used.pages / pages, '', 2 * PAGE + 20),
  ];
}

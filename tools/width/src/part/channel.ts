import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Conversation, Member } from '@parley/contracts';
import { CpuMeter, mapBounded, pidsOf, requestJson } from '@parley/tool-load';
import type { Seat } from '../crowd/member';
import { exact, figure, type Finding, hard, type PartResult, time } from '../finding';
import { sumOf } from '../measure/database';
import { type Memory, readMemory } from '../measure/memory';
import { processorTime } from '../measure/processor';
import type { Stage } from '../stage';

const PARALLEL = 64;
const ADD_PARALLEL = 16;
const MESSAGES = 300;
const SEND_PARALLEL = 4;
const DELIVER_MS_MAX = 30_000;
/** A mention tells, a plain message in a channel does not. */
const MENTIONS = 50;
const TYPISTS = 200;
/** A member is shown ten by each node. */
const TYPISTS_SHOWN = 20;
const TYPING_MS = 2_000;
const PAGE = 100;
const KB = 1024;
/** In ms: several times what two busy cores took. */
const MESSAGE_CPU_MS_MAX = { messaging: 20, history: 20, notification: 20, postgres: 20, rabbitmq: 20 };
const MEMBER_CPU_MS_MAX = { messaging: 20, history: 20, notification: 20, postgres: 20, rabbitmq: 20 };

/** A large channel of which a part is connected: what one message, one join and one typist cost there. */
export async function channel(stage: Stage): Promise<PartResult> {
  const { options, say, database } = stage;
  const members = stage.people.slice(0, options.members);
  const connected = Math.min(options.connected, members.length);
  say(`Adding ${members.length} members, ${connected} of them connected`);
  const owner = stage.instance('messaging');
  const nodes = stage.system.apps.of('realtime');
  const atFirst = { owner: await readMemory(owner), nodes: await Promise.all(nodes.map(readMemory)) };
  const made = await make(stage, members.length);
  const urls = nodes.map(({ url }) => url);
  const seats: Seat[] = members
    .slice(-connected)
    .map((person, i) => ({ ...person, urls: [urls[i % urls.length] as string], follows: false }));
  const crowds = stage.crowds(seats.length);
  try {
    await crowds.enter(seats, PARALLEL);
    const findings = [
      time('adding a member', made.msEach, 'ms', 50),
      hard('rows written a member', made.rowsEach, '', 8, 1),
      ...made.processor,
      ...(await talk()),
      ...(await mentions()),
      ...(await lists(stage, made.conversation.id)),
      ...(await joins()),
      ...(await typing()),
      ...(await memory()),
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

  async function memory(): Promise<Finding[]> {
    const heap = (all: Memory[]): number => all.reduce((sum, { heapBytes }) => sum + heapBytes, 0);
    const now = await Promise.all(nodes.map(readMemory));
    const { heapBytes } = await readMemory(owner);
    const ownerBytes = heapBytes - atFirst.owner.heapBytes;
    return [
      hard("growth of the owner's heap", ownerBytes / KB / KB, 'MB', 60),
      hard(
        'heap of the nodes a connected member',
        (heap(now) - heap(atFirst.nodes)) / connected / KB,
        'KB',
        50,
      ),
    ];
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
      exact('deliveries missing', deliveries - event.count, '', 0),
      figure('deliveries a second', deliveries / seconds, ''),
      hard('CPU of realtime a delivery', (cpu.byName.get('realtime') ?? NaN) / deliveries, 'µs', 40),
      ...processorTime('a message', cpu, MESSAGES, MESSAGE_CPU_MS_MAX),
      hard('bytes a delivery', event.bytes / event.count, 'B', 700),
      hard('pages touched a message', sumOf(statements).pages / MESSAGES, '', 100, 1),
      hard('writing statements a message', written.calls / MESSAGES, '', 4, 0.1),
    ];
  }

  async function mentions(): Promise<Finding[]> {
    await crowds.reset();
    await database.reset();
    const mentioned = members.slice(-Math.min(MENTIONS, connected)).map(({ userId }) => userId);
    await send(0, mentioned);
    await delivered(1);
    await crowds.until(
      ({ events }) => (events['notification:created']?.count ?? 0) >= mentioned.length,
      DELIVER_MS_MAX,
    );
    await delay(1_000);
    const count = (await crowds.look()).events['notification:created']?.count ?? 0;
    return [exact('notifications of a message with 50 mentions', count, '', mentioned.length)];
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
      exact('frames to the others a leave or join', (frames - (events['position']?.count ?? 0)) / 20, '', 0),
      hard('pages touched a leave or join', sumOf(await database.statements()).pages / 20, '', 400, 1),
    ];
  }

  async function typing(): Promise<Finding[]> {
    await crowds.reset();
    const each = Math.ceil(TYPISTS / (await crowds.say(0, 'typing:start', {})));
    await crowds.say(each, 'typing:start', { conversationId: made.conversation.id });
    // A typist is not shown himself.
    const enough = (TYPISTS_SHOWN - 1) * connected;
    await crowds.until(({ events }) => (events['typing:changed']?.count ?? 0) >= enough, DELIVER_MS_MAX);
    await delay(TYPING_MS);
    const count = (await crowds.look()).events['typing:changed']?.count ?? 0;
    return [
      hard(
        `typists shown to a member when ${TYPISTS} type`,
        count / connected,
        '',
        TYPISTS_SHOWN,
        enough / connected,
      ),
    ];
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
  const meter = new CpuMeter(pidsOf(stage.system));
  const start = performance.now();
  await mapBounded(stage.people.slice(1, count), ADD_PARALLEL, ({ userId }) =>
    stage.ask(owner, 'PUT', 'messaging', `/v1/conversations/${conversation.id}/members/${userId}`),
  );
  const msEach = (performance.now() - start) / (count - 1);
  const processor = processorTime('a member that is added', meter.used(), count - 1, MEMBER_CPU_MS_MAX);
  const statements = await stage.database.statements();
  const written = sumOf(statements.filter(({ text }) => /^(with|insert|update|delete)/i.test(text)));
  return { conversation, msEach: msEach * ADD_PARALLEL, rowsEach: written.rows / (count - 1), processor };
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
    exact('members that its pages leave out', stage.options.members - found, '', 0),
    time('a page of 100 members', (performance.now() - start) / pages, 'ms', 50),
    hard('rows read a page', used.rows / pages, '', PAGE + 1, 1),
    hard('pages touched a page', used.pages / pages, '', 2 * PAGE + 20),
  ];
}

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { MessagePage, SyncResult } from '@parley/contracts';
import {
  type Circle,
  CpuMeter,
  createCircle,
  nowUs,
  pidsOf,
  readLags,
  Talker,
  Tally,
} from '@parley/tool-load';
import { exact, figure, type Finding, hard, least, type PartResult, time } from '../finding';
import { readMemory } from '../measure/memory';
import { processorTime } from '../measure/processor';
import type { Stage } from '../stage';

const TALKERS = 4;
const IN_FLIGHT = 90;
const READS = 20;
const PAGE = 50;
const CATCH_UP_MS = 120_000;
const MB = 1024 * 1024;
/** In ms: several times what two busy cores took. */
const MESSAGE_CPU_MS_MAX = {
  realtime: 1,
  messaging: 1,
  history: 1,
  notification: 1,
  postgres: 1,
  rabbitmq: 1,
};
const READ_CPU_MS_MAX = { history: 25, postgres: 25 };
/** Of a message with everything that is kept of it; fewer would mean that it is kept elsewhere now. */
const MESSAGE_BYTES_MIN = 100;
/** Small tables may be read whole; those that grow with every message never. */
const SCAN = /Seq Scan on (messages|log)\b/;
const READS_MESSAGES = /Scan .*\bon (messages|log)\b/;
/** One for the middle's time, five pages, two syncs. */
const MESSAGE_READS = 8;

/** One conversation with very many messages: pages, jumps, sync, its owner's memory, and what it all takes on disk. */
export async function history(stage: Stage): Promise<PartResult> {
  const { options, say, database } = stage;
  const messaging = stage.instance('messaging');
  const members = stage.people.slice(0, TALKERS);
  const circle = await createCircle(messaging.url, 'group', members, stage.tokenOf);
  const sizesBefore = await total(stage);
  const before = await readMemory(messaging);
  say(`Sending ${options.messages} messages`);
  const sending = new CpuMeter(pidsOf(stage.system));
  const start = performance.now();
  await send(stage, circle, options.messages);
  const sentMs = performance.now() - start;
  say('Waiting for the view');
  await caughtUp(stage);
  const sent = sending.used();
  const after = await readMemory(messaging);
  const sizes = await total(stage);
  const perMessage = (schema: string): number =>
    ((sizes.get(schema) ?? 0) - (sizesBefore.get(schema) ?? 0)) / options.messages;
  say('Reading');
  const reads = await readEverywhere(stage, circle.conversation.id);
  const synced = await syncs(stage, circle.conversation.id);
  const owner = await loads(stage, circle);
  const plans = await database.plans(() => readOnce(stage, circle.conversation.id));
  return {
    part: 'history',
    notes: [`plans of the reads\n${plansOfMessages(plans).join('\n')}`],
    findings: [
      figure('messages a second, into one conversation', options.messages / (sentMs / 1000), ''),
      hard("growth of the owner's heap", (after.heapBytes - before.heapBytes) / MB, 'MB', 60),
      hard(
        'bytes a message in messaging, indexes included',
        perMessage('messaging'),
        'B',
        1_300,
        MESSAGE_BYTES_MIN,
      ),
      hard(
        'bytes a message in history, indexes included',
        perMessage('history'),
        'B',
        1_300,
        MESSAGE_BYTES_MIN,
      ),
      hard('bytes a message in notification', perMessage('notification'), 'B', 200),
      ...processorTime('a message', sent, options.messages, MESSAGE_CPU_MS_MAX),
      ...reads,
      ...synced,
      ...owner,
      least(
        'plans that read messages',
        plans.filter((plan) => READS_MESSAGES.test(plan)).length,
        '',
        MESSAGE_READS,
      ),
      exact('plans that scan all messages', plans.filter((plan) => SCAN.test(plan)).length, '', 0),
    ],
  };
}

async function send(stage: Stage, { conversation, members }: Circle, wanted: number): Promise<void> {
  const tally = new Tally();
  let sent = 0;
  const next = (talker: Talker): void => {
    if (sent >= wanted) return;
    sent += 1;
    talker.send(nowUs());
  };
  const talkers: Talker[] = [];
  for (const [index, member] of members.entries()) {
    const { url } = stage.instance('realtime', index % 2);
    const { id: conversationId, version } = conversation;
    const accessToken = stage.tokenOf(member);
    talkers.push(await Talker.join({ url, accessToken, conversationId, version, tally, onAcked: next }));
  }
  for (const talker of talkers) for (let i = 0; i < IN_FLIGHT; i++) next(talker);
  while (tally.acked < wanted) await delay(100);
  for (const talker of talkers) talker.leave();
  conversation.messageCount += wanted;
  conversation.version += wanted;
}

async function caughtUp(stage: Stage): Promise<void> {
  const { apps } = stage.system;
  const followers = new Map(
    [...apps.of('history'), ...apps.of('notification')].map(({ name, url }) => [name, url]),
  );
  const until = performance.now() + CATCH_UP_MS;
  while ((await readLags(followers)).some(({ rows }) => rows > 0)) {
    if (performance.now() > until) throw new Error('The followers of the log do not catch up.');
    await delay(200);
  }
}

/** Bytes of all tables and indexes by schema. */
async function total(stage: Stage): Promise<Map<string, number>> {
  const bySchema = new Map<string, number>();
  for (const { name, bytes, indexBytes } of await stage.database.sizes()) {
    const schema = name.split('.')[0] ?? '';
    bySchema.set(schema, (bySchema.get(schema) ?? 0) + bytes + indexBytes);
  }
  return bySchema;
}

function asks(stage: Stage, at: string): Record<string, string> {
  const last = stage.options.messages;
  const middle = Math.floor(last / 2);
  return {
    'the newest page': '',
    'the oldest page': 'after=0&',
    'a page in the middle': `around=${middle}&`,
    'a page before the middle': `before=${middle}&`,
    'a jump by date': `at=${encodeURIComponent(at)}&`,
  };
}

async function page(stage: Stage, conversationId: string, query: string): Promise<MessagePage> {
  const path = `/v1/conversations/${conversationId}/messages?${query}limit=${PAGE}`;
  return stage.ask(stage.person(1), 'GET', 'history', path);
}

async function middleTime(stage: Stage, conversationId: string): Promise<string> {
  const middle = Math.floor(stage.options.messages / 2);
  const { items } = await page(stage, conversationId, `around=${middle}&`);
  return items[0]?.createdAt ?? '';
}

async function readOnce(stage: Stage, conversationId: string): Promise<void> {
  const at = await middleTime(stage, conversationId);
  for (const query of Object.values(asks(stage, at))) await page(stage, conversationId, query);
  const version = stage.options.messages - 1_000;
  await sync(stage, conversationId, version);
  await sync(stage, conversationId, 1);
}

async function readEverywhere(stage: Stage, conversationId: string): Promise<Finding[]> {
  const at = await middleTime(stage, conversationId);
  const findings: Finding[] = [];
  for (const [what, query] of Object.entries(asks(stage, at))) {
    await page(stage, conversationId, query);
    await stage.database.reset();
    const meter = new CpuMeter(pidsOf(stage.system));
    const start = performance.now();
    let short = 0;
    for (let i = 0; i < READS; i++) short += PAGE - (await page(stage, conversationId, query)).items.length;
    const msEach = (performance.now() - start) / READS;
    const processor = processorTime(what, meter.used(), READS, READ_CPU_MS_MAX);
    const used = await stage.database.used('messages');
    findings.push(
      exact(`${what}: messages that are missing`, short, '', 0),
      time(`${what}`, msEach, 'ms', 50),
      hard(`${what}: pages touched`, used.pages / READS, '', query.startsWith('at') ? 300 : 120, 1),
      ...processor,
    );
  }
  return findings;
}

async function sync(stage: Stage, conversationId: string, version: number): Promise<SyncResult> {
  const reader = stage.person(1);
  const { epoch } = await stage.ask<SyncResult>(reader, 'POST', 'history', '/v1/sync', {
    epoch: null,
    accountCursor: null,
    versions: {},
  });
  const versions = { [conversationId]: version };
  return stage.ask(reader, 'POST', 'history', '/v1/sync', {
    epoch,
    accountCursor: null,
    versions,
    limit: 500,
  });
}

/** After a short absence the changes come; after a long one the newest state, instead of hundreds of thousands of them. */
async function syncs(stage: Stage, conversationId: string): Promise<Finding[]> {
  const last = stage.options.messages + 1;
  const start = performance.now();
  const long = await sync(stage, conversationId, 1);
  const longMs = performance.now() - start;
  const short = await sync(stage, conversationId, last - 400);
  const [reset, delta] = [long.conversations[0], short.conversations[0]];
  return [
    exact('changes that a sync from 400 back leaves out', 400 - (delta?.messages.length ?? 0), '', 0),
    exact('a sync from the beginning that is no reset', reset?.reset ? 0 : 1, '', 0),
    exact('messages of that reset', reset?.messages.length ?? 0, '', 500),
    exact('versions left after it', last - (reset?.version ?? 0), '', 0),
    time('that reset', longMs, 'ms', 500),
  ];
}

/** The owner dies: whoever writes next waits until the conversation is loaded again. */
async function loads(stage: Stage, { conversation }: Circle): Promise<Finding[]> {
  const messaging = stage.instance('messaging');
  await messaging.stop();
  await messaging.start();
  await stage.database.reset();
  const start = performance.now();
  await stage.ask(stage.person(0), 'POST', 'messaging', `/v1/conversations/${conversation.id}/messages`, {
    clientMessageId: randomUUID(),
    body: 'The first after a restart.',
  });
  const ms = performance.now() - start;
  const used = await stage.database.used('json_agg(json_build_array');
  return [
    time('first message after a restart of the owner', ms, 'ms', 3_000),
    hard('pages touched to load the conversation', used.pages, '', 100, 1),
  ];
}

/** Each plan that reads messages, once: the query's beginning, and the scans. */
function plansOfMessages(plans: readonly string[]): string[] {
  const texts = plans.map((plan) => {
    const [query = '', ...lines] = plan.split('\n');
    const scans = lines.filter((line) => /Scan .*(messages|log)\b/.test(line));
    const names = scans.map((line) => line.replace(/\s+\((cost|actual)=.*$/, '').replace(/^\s*(->)?\s*/, ''));
    return { query: query.replace(/^Query Text:\s*/, '').slice(0, 100), names };
  });
  const unique = new Set(
    texts
      .filter(({ names }) => names.length > 0)
      .map(({ query, names }) => `  ${query} …\n    ${names.join('\n    ')}`),
  );
  return [...unique];
}

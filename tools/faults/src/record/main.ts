import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { commands, type Conversation, type Message, queries } from '@parley/contracts';
import { requestJson, startSystem, type System } from '@parley/tool-load';
import { runCommand, unlessInterrupted } from '@parley/tool-local';
import { buildOf, WORKSPACE } from '../fault/former-build';
import { Load } from '../load/load';
import { createWorld } from '../load/world';
import { pairsOf, saidBy, select } from './selection';
import { type Tap, tap } from './tap';

const USAGE = `npm run record:envelopes -- --as NAME [--from REF]
  --as NAME    of the recording: libs/testing/envelopes/<NAME>.json, e.g. v2
  --from REF   records the apps of that commit rather than the present ones`;
/** Digests come every ten seconds. */
const LOAD_MS = 12_000;
const ANSWERS_MS = 30_000;
/** What is said when people are told of, log out and leave, each only after a while. */
const ASIDES = [
  'users notification.created',
  'accounts session.revoked',
  'connections closed',
  'presence offline',
];
const ASIDES_MS = 30_000;

/** Records what a running system says over the broker while people talk, for tests that replay it to later releases. */
async function main(interrupted: AbortSignal): Promise<void> {
  const { values } = parseArgs({ options: { as: { type: 'string' }, from: { type: 'string' } } });
  if (values.as === undefined) throw new Error(USAGE);
  const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const appsWorkspace = values.from === undefined ? WORKSPACE : await buildOf(values.from, say, interrupted);
  if (appsWorkspace === undefined) {
    process.exitCode = 1;
    return;
  }
  const begun: { tap?: Tap } = {};
  const system = await startSystem({
    name: 'record',
    isTemporary: true,
    signal: interrupted,
    say,
    appsWorkspace,
    // What apps ask as they start is asked never again.
    onServers: async (servers) => {
      begun.tap = await tap(servers);
    },
  });
  try {
    await unlessInterrupted(interrupted, record(system, begun.tap!, values.as, values.from, say));
  } finally {
    await system.stop();
  }
}

async function record(
  system: System,
  { heard, stop }: Tap,
  name: string,
  from: string | undefined,
  say: (line: string) => void,
): Promise<void> {
  const world = await createWorld(system);
  const load = new Load(world, system.gateway.url, 1);
  const place = world.places.find(({ guest }) => guest);
  const group = place?.circle.conversation.id ?? '';
  const path = `${system.gateway.url}/v1/conversations/${group}`;
  const accessToken = place?.people[0]?.newToken() ?? '';
  const others = place?.people.slice(1, 3).map(({ userId }) => userId) ?? [];
  await writeEach(path, accessToken, others);
  await endOne(system.gateway.url, accessToken, others);
  await world.bystanders[1]?.show('away');
  const stranger = world.bystanders[2]?.newToken() ?? '';
  await joinOne(system.gateway.url, accessToken, stranger);
  // Who is no member is refused once messaging was asked whether he is one by now.
  await requestJson('GET', `${path}/messages`, { accessToken: stranger }).catch(() => undefined);
  load.start();
  // What it missed meanwhile it asks for.
  const [history] = system.apps.of('history');
  await history?.kill();
  await delay(LOAD_MS);
  await history?.start();
  await requestJson('PUT', `${path}/unread`, { accessToken, body: { fromNumber: 1 } });
  await load.pause(ANSWERS_MS);
  const [leaver] = world.bystanders;
  await requestJson('POST', `${system.gateway.url}/v1/auth/logout`, { accessToken: leaver?.newToken() });
  for (const person of [...world.people, ...world.bystanders]) person.close();
  await untilSaid(ASIDES, ASIDES_MS, () => heard.flatMap((one) => saidBy(one, group)));
  await stop();
  const pairs = pairsOf(heard);
  for (const pattern of Object.keys({ ...commands, ...queries }))
    if (!pairs.has(pattern)) say(`Nobody asked and was answered: ${pattern}`);
  const envelopes = select(heard, group);
  const dir = join(WORKSPACE, 'libs/testing/envelopes');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.json`);
  const lines = envelopes.map((one) => JSON.stringify(one)).join(',\n    ');
  writeFileSync(
    file,
    `{\n  "from": ${JSON.stringify(from ?? 'HEAD')},\n  "conversationId": "${group}",\n  "envelopes": [\n    ${lines}\n  ]\n}\n`,
  );
  say(`${envelopes.length} envelopes are in ${file}`);
}

/**
 * Writes the kinds of rows and asks for what the load leaves to chance, and a mention. The end of a conversation comes
 * in another one.
 */
async function writeEach(path: string, accessToken: string, mentions: string[]): Promise<void> {
  const send = async (body: string, more: object = {}): Promise<string> => {
    const answer = await requestJson<{ message: Message }>('POST', `${path}/messages`, {
      accessToken,
      body: { clientMessageId: randomUUID(), body, ...more },
    });
    return `${path}/messages/${answer.message.id}`;
  };
  await requestJson('PATCH', path, { accessToken, body: { title: 'Recorded' } });
  const kept = await send('Hello', { mentions });
  await requestJson('PATCH', kept, { accessToken, body: { body: 'Hello, all' } });
  await requestJson('PUT', `${kept}/reactions/${encodeURIComponent('👍')}`, { accessToken });
  await requestJson('PUT', `${kept}/pin`, { accessToken });
  await requestJson('DELETE', await send('Oops'), { accessToken });
  await requestJson('PUT', `${path}/read`, { accessToken, body: { number: 1 } });
  const member = `${path}/members/${mentions[0]}`;
  for (const role of ['admin', 'member']) await requestJson('PATCH', member, { accessToken, body: { role } });
}

async function endOne(url: string, accessToken: string, memberIds: string[]): Promise<void> {
  await requestJson('DELETE', await create(url, accessToken, { type: 'group', memberIds }), { accessToken });
}

async function joinOne(url: string, accessToken: string, stranger: string): Promise<void> {
  const channel = { type: 'channel', title: 'Open', visibility: 'public', memberIds: [] };
  const path = await create(url, accessToken, channel);
  await requestJson('POST', `${path}/join`, { accessToken: stranger });
}

/** Where the new conversation is reached. */
async function create(url: string, accessToken: string, body: object): Promise<string> {
  const path = `${url}/v1/conversations`;
  const { conversation } = await requestJson<{ conversation: Conversation }>('POST', path, {
    accessToken,
    headers: { 'idempotency-key': randomUUID() },
    body,
  });
  return `${path}/${conversation.id}`;
}

/** @throws Error when not all of it was said in time */
async function untilSaid(wanted: string[], timeoutMs: number, all: () => string[]): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const said = new Set(all());
    const missing = wanted.filter((what) => !said.has(what));
    if (missing.length === 0) return;
    if (performance.now() > end) throw new Error(`Nobody said: ${missing.join(', ')}.`);
    await delay(100);
  }
}

runCommand(main);

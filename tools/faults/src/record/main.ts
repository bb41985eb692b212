import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { requestJson, startSystem, type System } from '@parley/tool-load';
import { interruption, runCommand } from '@parley/tool-local';
import { buildOf, WORKSPACE } from '../fault/former-build';
import { Load } from '../load/load';
import { createWorld } from '../load/world';
import { select } from './selection';
import { tap } from './tap';

const USAGE = `npm run record:envelopes -- --as NAME [--from REF]
  --as NAME    of the recording: libs/testing/envelopes/<NAME>.json, e.g. v2
  --from REF   records the apps of that commit rather than the present ones`;
/** Digests come every ten seconds. */
const LOAD_MS = 12_000;
const ANSWERS_MS = 30_000;

/** Records what a running system says over the broker while people talk, for tests that replay it to later releases. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { as: { type: 'string' }, from: { type: 'string' } } });
  if (values.as === undefined) throw new Error(USAGE);
  const say = (line: string): void => void process.stderr.write(`  ${line}\n`);
  const appsWorkspace = values.from === undefined ? WORKSPACE : await buildOf(values.from, say);
  if (appsWorkspace === undefined) return;
  const system = await startSystem({ name: 'record', isTemporary: true, say, appsWorkspace });
  try {
    await Promise.race([record(system, values.as, values.from, say), interruption()]);
  } finally {
    await system.stop();
  }
}

async function record(
  system: System,
  name: string,
  from: string | undefined,
  say: (line: string) => void,
): Promise<void> {
  const stop = await tap(system.servers.rabbitmq);
  const world = await createWorld(system);
  const load = new Load(world, system.gateway.url, 1);
  load.start();
  const place = world.places.find(({ guest }) => guest);
  const group = place?.circle.conversation.id ?? '';
  const path = `${system.gateway.url}/v1/conversations/${group}`;
  const accessToken = place?.people[0]?.newToken() ?? '';
  await requestJson('PATCH', path, { accessToken, body: { title: 'Recorded' } });
  await delay(LOAD_MS);
  await requestJson('PUT', `${path}/unread`, { accessToken, body: { fromNumber: 1 } });
  await load.pause(ANSWERS_MS);
  for (const person of [...world.people, ...world.bystanders]) person.close();
  const envelopes = select(await stop(), group);
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

runCommand(main);

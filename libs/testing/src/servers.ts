import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, lastLines } from '@parley/tool-local';

/** The servers that the suites of one run share; each suite takes its own part of them (see fresh.ts). */
export interface TestServers {
  /** Their directory; the keeper stops whatever was started for it, and removes it, at its end. */
  dir: string;
  keeperPid: number;
  databaseUrl: string;
  redisUrl: string;
  amqpUrl: string;
  amqpManagementUrl: string;
}

const WORKSPACE = resolve(__dirname, '../../..');
/** Where `npm run test:servers` keeps servers for many runs. */
const LASTING_DIR = join(WORKSPACE, '.local', 'test');
const START_TIMEOUT_MS = 600_000;

let known: Promise<TestServers> | undefined;

/**
 * The servers of this run. The first spec of a run that asks starts them, in a process of their own that all jest
 * workers share; where `npm run test:servers` runs, its servers are used.
 */
export function testServers(): Promise<TestServers> {
  known ??= find();
  return known;
}

async function find(): Promise<TestServers> {
  const lasting = read(LASTING_DIR);
  if (lasting && isAlive(lasting.keeperPid)) return lasting;
  return serversOf(runDir());
}

/**
 * Those of one run, which the first who asks starts. `environment` is that of their keeper.
 * @throws Error that says why they did not start, to everybody who asks
 */
export async function serversOf(dir: string, environment = process.env): Promise<TestServers> {
  if (isFirst(dir)) startKeeper(dir, environment);
  return waitFor(dir);
}

/** The directory of this jest run, as jest/global-setup.js made it. */
export function runDir(): string {
  const dir = process.env['PARLEY_TEST_DIR'];
  if (!dir) throw new Error('PARLEY_TEST_DIR is not set: run jest with the jest.preset.js of this workspace');
  return dir;
}

/** Of all workers that ask at once, mkdir lets exactly one succeed. */
function isFirst(dir: string): boolean {
  try {
    mkdirSync(join(dir, 'starting'));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function startKeeper(dir: string, env: NodeJS.ProcessEnv): void {
  const log = openSync(join(dir, 'keeper.log'), 'a');
  const register = join(WORKSPACE, 'libs/testing/jest/register.js');
  const keeper = join(__dirname, 'keeper/keeper.ts');
  const runPid = process.env['PARLEY_TEST_RUN_PID'] ?? '';
  const args = ['--conditions=@parley/source', '-r', register, keeper, dir, runPid];
  const child = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', log, log] });
  child.unref();
  closeSync(log);
  // For the end of the run: see ../jest/run-directory.js.
  writeFileSync(join(dir, 'keeper.pid'), String(child.pid));
}

async function waitFor(dir: string): Promise<TestServers> {
  const end = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    // Asked first: what it has written before it ended counts.
    const isKept = hasKeeper(dir);
    const servers = read(dir);
    if (servers) return servers;
    const failure = join(dir, 'failure.txt');
    if (existsSync(failure)) throw notStarted(dir, readFileSync(failure, 'utf8'));
    if (!isKept) throw notStarted(dir, 'their keeper ended without a word.');
    if (performance.now() > end) throw notStarted(dir, `not within ${START_TIMEOUT_MS / 1000} s.`);
    await delay(50);
  }
}

function notStarted(dir: string, why: string): Error {
  const log = join(dir, 'keeper.log');
  return new Error(`The test servers did not start: ${why}\nThe last lines of ${log}:\n${lastLines(log)}`);
}

/** Whether their keeper lives, or is only being started. Should it be killed, its guardian removes the directory. */
function hasKeeper(dir: string): boolean {
  const file = join(dir, 'keeper.pid');
  return existsSync(file) ? isAlive(Number(readFileSync(file, 'utf8'))) : existsSync(dir);
}

function read(dir: string): TestServers | undefined {
  const file = join(dir, 'servers.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as TestServers) : undefined;
}

import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  givenServers,
  hold,
  interruptions,
  isAlive,
  letGo,
  LocalError,
  type Servers,
  startServers,
  stopLeftovers,
} from '@parley/tool-local';
import type { TestServers } from '../servers';
import { serveMongo } from './mongo';
import { startPruning } from './prune';

/**
 * `keeper.ts DIR [RUN_PID]` starts PostgreSQL, Redis and RabbitMQ for tests under DIR, writes their addresses to
 * DIR/servers.json, and keeps them until SIGTERM, SIGINT, SIGHUP or, when RUN_PID is given, the end of that process.
 * Then it kills the servers (nobody needs the data) and removes DIR, which both happen, too, when it is killed itself.
 * When they do not start, DIR tells until then: failure.txt says why, and the logs are there.
 */
async function keep(dir: string, runPid: number | undefined): Promise<void> {
  mkdirSync(dir, { recursive: true });
  chmodSync(dir, 0o711);
  const interrupted = interruptions();
  hold(dir, interrupted, { removes: true });
  const starting = start(dir);
  let ending = false;
  const end = async (): Promise<void> => {
    if (ending) return;
    ending = true;
    // A half-started server could not be found again: let the start finish first.
    await starting.then(
      (servers) => servers.kill(),
      () => undefined,
    );
    // Private servers of suites that were cut off.
    await stopLeftovers(dir);
    rmSync(dir, { recursive: true, force: true });
    letGo(interrupted);
    process.exit(0);
  };
  interrupted.addEventListener('abort', () => void end());
  if (runPid !== undefined) setInterval(() => !isAlive(runPid) && void end(), 500);
  let servers: Servers;
  try {
    servers = await starting;
  } catch (error) {
    if (runPid === undefined) {
      removeAllButLogs(dir);
      letGo(interrupted);
      throw error;
    }
    process.stderr.write(`${describe(error)}\n`);
    writeWhole(join(dir, 'failure.txt'), describe(error));
    return;
  }
  const addresses: TestServers = {
    dir,
    keeperPid: process.pid,
    databaseUrl: servers.postgres.url,
    redisUrl: servers.redis.url,
    amqpUrl: servers.rabbitmq.url,
    amqpManagementUrl: servers.rabbitmq.managementUrl,
  };
  serveMongo(dir, addresses.databaseUrl, say);
  writeWhole(join(dir, 'servers.json'), JSON.stringify(addresses));
  if (runPid === undefined) {
    startPruning(addresses);
    say('Test servers are up; jest runs in this workspace use them until Ctrl-C.');
  }
}

async function start(dir: string): Promise<Servers> {
  return await startServers(dir, { durable: false, given: givenServers(process.env), onProgress: say });
}

/** What a start that failed leaves for somebody to read, without the data that the next start would find. */
function removeAllButLogs(dir: string): void {
  for (const name of readdirSync(dir))
    if (name !== 'logs') rmSync(join(dir, name), { recursive: true, force: true });
}

function describe(error: unknown): string {
  if (error instanceof LocalError) return `${error.message}\n${error.advice}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

const [dir, runPid] = process.argv.slice(2);
if (!dir) throw new Error('usage: keeper.ts DIR [RUN_PID]');
keep(resolve(dir), runPid === undefined ? undefined : Number(runPid)).catch((error: unknown) => {
  process.stderr.write(`${describe(error)}\n`);
  process.exit(1);
});

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { inheritedEnvironment, OwnedProcess } from '../process/owned-process';
import type { Server, ServerOptions } from './server';

export interface PostgresPlan {
  /** The run directory; data goes to `<dir>/postgres`. */
  dir: string;
  port: number;
  password: string;
  programs: { initdb: string; postgres: string };
}

const USER = 'parley';
const DATABASE = 'parley';
const START_TIMEOUT_MS = 60_000;

/** initdb and postgres refuse root, so root lends them the account that the package made. */
interface Account {
  uid: number;
  gid: number;
  prefix: string[];
}

/** Prepares (at the first start: creates) a private PostgreSQL on 127.0.0.1 that only its password opens. */
export function postgresServer(plan: PostgresPlan, options: ServerOptions): Server {
  const account = accountForRoot();
  const home = dataHome(plan.dir, account);
  const data = join(home, 'data');
  const logFile = join(plan.dir, 'logs', 'postgres.log');
  const [command = '', ...args] = [
    ...(account?.prefix ?? []),
    plan.programs.postgres,
    ...['-D', data, '-p', String(plan.port), ...settings(options)],
  ];
  const owned = new OwnedProcess({
    name: 'postgres',
    dir: plan.dir,
    command,
    args,
    cwd: home,
    logFile,
    stopSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
  });
  const urlOf = (database: string): string =>
    `postgres://${USER}:${plan.password}@127.0.0.1:${plan.port}/${database}`;
  return {
    name: 'postgres',
    url: urlOf(DATABASE),
    managed: true,
    get pid() {
      return owned.pid;
    },
    async start() {
      if (!existsSync(join(data, 'PG_VERSION'))) initialise(plan, data, account, options);
      owned.start();
      await owned.waitUntil(() => answers(urlOf('postgres')), START_TIMEOUT_MS);
      await ensureDatabase(urlOf('postgres'), DATABASE);
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
  };
}

function settings({ durable }: ServerOptions): string[] {
  const on = durable ? 'on' : 'off';
  const values = {
    listen_addresses: '127.0.0.1',
    // Socket files have a path limit of about 100 bytes; TCP on loopback has none.
    unix_socket_directories: '',
    max_connections: '300',
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    fsync: on,
    synchronous_commit: on,
    full_page_writes: on,
    log_timezone: 'UTC',
    timezone: 'UTC',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function initialise(
  plan: PostgresPlan,
  data: string,
  account: Account | undefined,
  { durable }: ServerOptions,
): void {
  const passwordFile = join(data, '..', 'password');
  writeFileSync(passwordFile, plan.password, { mode: 0o600 });
  if (account) chownSync(passwordFile, account.uid, account.gid);
  const [command = '', ...args] = [
    ...(account?.prefix ?? []),
    plan.programs.initdb,
    ...['-D', data, '-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`],
    ...['-E', 'UTF8', '--locale=C.UTF-8', ...(durable ? [] : ['--no-sync'])],
  ];
  try {
    execFileSync(command, args, {
      cwd: join(data, '..'),
      stdio: ['ignore', 'ignore', 'pipe'],
      env: inheritedEnvironment(),
    });
  } catch (error) {
    // A half-made cluster would look like a finished one at the next start.
    rmSync(data, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function accountForRoot(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('postgres:'));
  const [, , uid, gid] = (line ?? '').split(':');
  if (!uid || !gid) throw new Error('root needs the system account "postgres", which the package makes');
  return {
    uid: +uid,
    gid: +gid,
    prefix: ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'],
  };
}

/**
 * The directory of the cluster. Below a home like /root, which no other account may enter, the lent account could not
 * reach its own data; then it lies under /var/lib, named after the run directory.
 */
function dataHome(dir: string, account: Account | undefined): string {
  const inside = join(dir, 'postgres');
  mkdirSync(inside, { recursive: true, mode: 0o700 });
  if (!account) return inside;
  chownSync(inside, account.uid, account.gid);
  const [command = '', ...args] = [...account.prefix, 'test', '-w', inside];
  try {
    execFileSync(command, args, { stdio: 'ignore', cwd: '/' });
    return inside;
  } catch {
    const outside = join('/var/lib/parley', createHash('sha256').update(dir).digest('hex').slice(0, 16));
    mkdirSync(outside, { recursive: true, mode: 0o755 });
    chownSync(outside, account.uid, account.gid);
    writeFileSync(join(inside, 'DATA_IS_IN'), `${outside}\n`);
    return outside;
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (!rowCount) await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
}

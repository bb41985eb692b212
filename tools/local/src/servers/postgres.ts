import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { inheritedEnvironment } from '../process/environment';
import { OwnedProcess } from '../process/owned-process';
import { type CertificatePaths, certificatePaths, tlsOptions } from './certificates';
import type { Server, ServerOptions } from './server';

export interface PostgresPlan {
  /** The run directory; data goes to `<dir>/postgres`. */
  dir: string;
  port: number;
  password: string;
  programs: { initdb: string; postgres: string };
  /** A folder of certificates: only encrypted connections of clients with a certificate are taken then. */
  certificates?: string;
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
    ...(plan.certificates === undefined ? [] : tlsSettings(home)),
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
  const urlOf = (database: string): string => {
    const address = (host: string) => `postgres://${USER}:${plan.password}@${host}:${plan.port}/${database}`;
    return plan.certificates === undefined
      ? address('127.0.0.1')
      : `${address('localhost')}?sslmode=verify-full`;
  };
  const ours = plan.certificates === undefined ? undefined : certificatePaths(plan.certificates, 'client');
  return {
    name: 'postgres',
    url: urlOf(DATABASE),
    managed: true,
    get pid() {
      return owned.pid;
    },
    async start() {
      if (!existsSync(join(data, 'PG_VERSION'))) initialise(plan, data, account, options);
      if (plan.certificates !== undefined) installCertificates(plan.certificates, home, account);
      owned.start();
      await owned.waitUntil(() => answers(urlOf('postgres'), ours), START_TIMEOUT_MS);
      await ensureDatabase(urlOf('postgres'), ours, DATABASE);
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

function tlsSettings(home: string): string[] {
  const values = {
    ssl: 'on',
    ssl_ca_file: join(home, 'ca.pem'),
    ssl_cert_file: join(home, 'server.pem'),
    ssl_key_file: join(home, 'server.key'),
    ssl_min_protocol_version: 'TLSv1.2',
    hba_file: join(home, 'hba.tls.conf'),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** PostgreSQL reads a key only where it is its own and nobody else may. */
function installCertificates(folder: string, home: string, account: Account | undefined): void {
  const { ca, cert, key } = certificatePaths(folder, 'postgres');
  const hba = join(home, 'hba.tls.conf');
  writeFileSync(hba, 'hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n');
  const copies = Object.entries({ 'ca.pem': ca, 'server.pem': cert, 'server.key': key });
  for (const [name, source] of copies) copyFileSync(source, join(home, name));
  for (const file of [hba, ...copies.map(([name]) => join(home, name))]) {
    chmodSync(file, 0o600);
    if (account) chownSync(file, account.uid, account.gid);
  }
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

async function answers(url: string, ours: CertificatePaths | undefined): Promise<boolean> {
  const client = databaseClient(url, ours);
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

async function ensureDatabase(
  adminUrl: string,
  ours: CertificatePaths | undefined,
  name: string,
): Promise<void> {
  const client = databaseClient(adminUrl, ours);
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (!rowCount) await client.query(`create database ${name}`);
  } finally {
    await client.end();
  }
}

/** The driver takes certificates only where the address does not speak of encryption. */
export function databaseClient(url: string, ours: Partial<CertificatePaths> | undefined): Client {
  const address = new URL(url);
  const encrypted = address.searchParams.get('sslmode') === 'verify-full';
  address.searchParams.delete('sslmode');
  return new Client({
    connectionString: address.href,
    ssl: encrypted && tlsOptions(ours ?? {}),
    connectionTimeoutMillis: 5_000,
  });
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OwnedProcess } from '../../process/owned-process';
import { type CertificatePaths, certificatePaths } from '../certificates';
import { databaseClient } from '../postgres';
import { type MongoServer, noMembers } from '../server';
import { addContainmentIndexes } from './indexes';
import { answersMongo } from './probe';

export interface FerretPlan {
  /** The run directory; FerretDB's own small state goes to `<dir>/ferretdb`, all data to PostgreSQL. */
  dir: string;
  port: number;
  /** The PostgreSQL that keeps the data, in a database of its own. Its user and password open FerretDB as well. */
  databaseUrl: string;
  program: string;
  /** A folder of certificates: only encrypted connections of clients with a certificate are taken then. */
  certificates?: string;
}

const DATABASE = 'ferretdb';
/** A schema there. */
const MONGO_DATABASE = 'parley';
const START_TIMEOUT_MS = 60_000;

/** Prepares a private FerretDB on 127.0.0.1. PostgreSQL must run when it starts. */
export function ferretServer(plan: FerretPlan): MongoServer {
  const home = join(plan.dir, 'ferretdb');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const ours = plan.certificates === undefined ? undefined : certificatePaths(plan.certificates, 'client');
  const url = urlOf(plan);
  const owned = new OwnedProcess({
    name: 'mongodb',
    dir: plan.dir,
    command: plan.program,
    args: [],
    // The names are those of FerretDB's own command.
    env: {
      ...listener(plan),
      FERRETDB_HANDLER: 'postgresql',
      FERRETDB_POSTGRESQL_URL: behindOf(plan.databaseUrl, ours),
      FERRETDB_STATE_DIR: home,
      FERRETDB_TELEMETRY: 'disable',
      FERRETDB_DEBUG_ADDR: '-',
      FERRETDB_LOG_LEVEL: 'error',
      DO_NOT_TRACK: '1',
    },
    cwd: home,
    logFile: join(plan.dir, 'logs', 'mongodb.log'),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  });
  return {
    name: 'mongodb',
    kind: 'ferretdb',
    url,
    managed: true,
    ...noMembers,
    get pid() {
      return owned.pid;
    },
    async start() {
      await ensureDatabase(plan.databaseUrl, ours);
      owned.start();
      await owned.waitUntil(() => answersMongo(url, ours), START_TIMEOUT_MS);
    },
    async afterMigrations() {
      const database = new URL(plan.databaseUrl);
      database.pathname = `/${DATABASE}`;
      await addContainmentIndexes(database.href, MONGO_DATABASE, ours);
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
  };
}

function urlOf({ databaseUrl, port, certificates }: FerretPlan): string {
  const { username, password } = new URL(databaseUrl);
  const host = certificates === undefined ? '127.0.0.1' : 'localhost';
  const options = `authMechanism=PLAIN&directConnection=true${certificates === undefined ? '' : '&tls=true'}`;
  return `mongodb://${username}:${password}@${host}:${port}/${MONGO_DATABASE}?${options}`;
}

function listener({ port, certificates }: FerretPlan): Record<string, string> {
  const address = `127.0.0.1:${port}`;
  if (certificates === undefined) return { FERRETDB_LISTEN_ADDR: address };
  const { ca, cert, key } = certificatePaths(certificates, 'mongodb');
  return {
    FERRETDB_LISTEN_ADDR: '',
    FERRETDB_LISTEN_TLS: address,
    FERRETDB_LISTEN_TLS_CA_FILE: ca,
    FERRETDB_LISTEN_TLS_CERT_FILE: cert,
    FERRETDB_LISTEN_TLS_KEY_FILE: key,
  };
}

/** PostgreSQL's address without credentials: FerretDB asks each client for its own and passes them on. */
function behindOf(databaseUrl: string, ours: CertificatePaths | undefined): string {
  const url = new URL(databaseUrl);
  url.username = '';
  url.password = '';
  url.pathname = `/${DATABASE}`;
  if (ours) {
    url.searchParams.set('sslrootcert', ours.ca);
    url.searchParams.set('sslcert', ours.cert);
    url.searchParams.set('sslkey', ours.key);
  }
  return url.href;
}

async function ensureDatabase(adminUrl: string, ours: CertificatePaths | undefined): Promise<void> {
  const client = databaseClient(adminUrl, ours);
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`create database ${DATABASE}`);
    // Names of fields are parameters, which meet an index only in a plan that was made for their values.
    await client.query(`alter database ${DATABASE} set plan_cache_mode = force_custom_plan`);
  } finally {
    await client.end();
  }
}

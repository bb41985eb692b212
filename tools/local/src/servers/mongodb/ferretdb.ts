import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { OwnedProcess } from '../../process/owned-process';
import type { MongoServer } from '../server';
import { answersMongo } from './probe';

export interface FerretPlan {
  /** The run directory; FerretDB's own small state goes to `<dir>/ferretdb`, all data to PostgreSQL. */
  dir: string;
  port: number;
  /** The PostgreSQL that keeps the data, in a database of its own. Its user and password open FerretDB as well. */
  databaseUrl: string;
  program: string;
}

const DATABASE = 'ferretdb';
const START_TIMEOUT_MS = 60_000;

/** Prepares a private FerretDB on 127.0.0.1. PostgreSQL must run when it starts. */
export function ferretServer(plan: FerretPlan): MongoServer {
  const home = join(plan.dir, 'ferretdb');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const postgres = new URL(plan.databaseUrl);
  // Without credentials: FerretDB asks each client for its own and passes them on.
  const behind = `postgres://${postgres.host}/${DATABASE}`;
  const url =
    `mongodb://${postgres.username}:${postgres.password}@127.0.0.1:${plan.port}/parley` +
    '?authMechanism=PLAIN&directConnection=true';
  const owned = new OwnedProcess({
    name: 'mongodb',
    dir: plan.dir,
    command: plan.program,
    args: [],
    // The names are those of FerretDB's own command.
    env: {
      FERRETDB_LISTEN_ADDR: `127.0.0.1:${plan.port}`,
      FERRETDB_HANDLER: 'postgresql',
      FERRETDB_POSTGRESQL_URL: behind,
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
    get pid() {
      return owned.pid;
    },
    async start() {
      await ensureDatabase(plan.databaseUrl);
      owned.start();
      await owned.waitUntil(() => answersMongo(url), START_TIMEOUT_MS);
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
  };
}

async function ensureDatabase(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

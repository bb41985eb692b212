import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { checkedSchema, dataSourceOptions, type DatabaseSettings, MissingMigrations } from './database';
import { getLogger } from './logging';
import { withoutSslMode } from './tls/address';
import { tlsFailure } from './tls/failure';

const log = getLogger('Database');

/** Nobody waits for a migration as for an answer. */
const connectMs = 30_000;
const lockAgainMs = 200;

/**
 * How long a statement of a migration waits for a table that is in use, by a dump for instance. Whoever comes to the table
 * meanwhile waits behind it, and an app gives up after `databaseTimeouts.lockMs`.
 */
const tableLockMs = 400;
/** Until it tries again: those who waited behind it are served first. */
const tableAgainMs = 2000;

/** How often it is looked whether a job of the release before holds up ours. */
const watchMs = 1000;

/** `lock_not_available`: the table was in use for longer than `tableLockMs`. */
const IN_USE = '55P03';

/**
 * Creates the schema and runs the pending migrations, for `migrate.ts`. Safe to run from many instances at once: one
 * works, the others wait for it. Waits up to 30 s for the database to come up. Statements are not bounded in time, but wait for
 * a table only for moments, and are then begun anew, so that nobody's reads and writes queue up behind them. Each migration is a
 * transaction, unless it says `transaction = false` to build an index beside the writing; that may be cut off anywhere.
 *
 * @returns the names of those that were run
 */
export async function runMigrations(settings: DatabaseSettings): Promise<string[]> {
  const schema = checkedSchema(settings.schema);
  const lock = await connectPatiently(settings);
  // An error that nobody hears would end the process without a word in its log.
  const lost = new Promise<never>((_, reject) => lock.once('error', reject));
  lock.on('error', () => undefined);
  const work = async () => {
    await takeLock(lock, schema);
    await lock.query(`create schema if not exists "${schema}"`);
    return watching(lock, schema, () => migrate(settings));
  };
  try {
    const names = await Promise.race([work(), lost]);
    log.info({ schema, names }, 'The database is migrated.');
    return names;
  } finally {
    // Ending the connection releases the lock.
    await lock.end();
  }
}

async function migrate(settings: DatabaseSettings): Promise<string[]> {
  const { schema } = settings;
  const dataSource = new DataSource(
    dataSourceOptions({
      ...settings,
      extra: {
        connectionTimeoutMillis: connectMs,
        statement_timeout: 0,
        lock_timeout: tableLockMs,
        idle_in_transaction_session_timeout: 0,
        options: `-c search_path=${schema}`,
        ...settings.extra,
      },
    }),
  );
  await dataSource.initialize();
  try {
    const before = await recorded(dataSource);
    while (!(await attempt(dataSource))) {
      const transactions = await openTransactions(dataSource);
      log.warn(
        { schema, transactions },
        'A table is in use: its users go first, and the migration tries again.',
      );
      await delay(tableAgainMs);
    }
    return (await recorded(dataSource)).filter((name) => !before.includes(name));
  } finally {
    await dataSource.destroy();
  }
}

/**
 * An app fails wherever it needs what a migration brings, and would be ready all the same. What a later release has brought does no harm.
 * @throws MissingMigrations
 */
export async function requireMigrations(dataSource: DataSource): Promise<void> {
  const known = new Set(await recorded(dataSource));
  const missing = dataSource.migrations
    .map(({ name, constructor }) => name ?? constructor.name)
    .filter((name) => !known.has(name));
  if (missing.length > 0) throw new MissingMigrations(missing);
}

/** Whether all that was pending is done, and not only what came before a table that is in use. */
async function attempt(dataSource: DataSource): Promise<boolean> {
  try {
    await dataSource.runMigrations({ transaction: 'each' });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== IN_USE) throw error;
    return false;
  }
}

/** The names of the migrations that have been run, in their order. */
async function recorded(dataSource: DataSource): Promise<string[]> {
  const [table] = await dataSource.query<{ exists: boolean }[]>(
    `select to_regclass('migrations') is not null as exists`,
  );
  if (!table?.exists) return [];
  const rows = await dataSource.query<{ name: string }[]>('select name from migrations order by id');
  return rows.map(({ name }) => name);
}

/** Who may use the table: the oldest transactions of the database, for whoever looks into the log. */
function openTransactions(dataSource: DataSource): Promise<object[]> {
  return dataSource.query(
    `select pid, application_name as application, xact_start as since from pg_stat_activity
     where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
     order by xact_start limit 3`,
  );
}

/**
 * Asks again and again instead of waiting in one statement: that would hold a snapshot, for whose end an index that is built
 * concurrently under the lock would wait in turn, for ever.
 */
async function takeLock(client: Client, schema: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as taken',
      [lockName(schema)],
    );
    if (rows[0]?.taken) return;
    await delay(lockAgainMs);
  }
}

function lockName(schema: string): string {
  return `parley.migrate.${schema}`;
}

/**
 * A job of the first release waits for the lock in one statement, and so for us, while an index that we build waits for the end of
 * that statement. The job's wait is cancelled; it fails, and whoever has started it tries again.
 */
async function watching<T>(lock: Client, schema: string, work: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const watch = async () => {
    while (!ended.signal.aborted) {
      await cancelWaiting(lock, schema);
      await delay(watchMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  };
  const watched = watch().catch((error: unknown) =>
    log.warn({ err: error }, 'Who waits for the lock of the migrations is not known any more.'),
  );
  try {
    return await work();
  } finally {
    ended.abort();
    await watched;
  }
}

async function cancelWaiting(lock: Client, schema: string): Promise<void> {
  const { rows } = await lock.query<{ pid: number }>(
    `select waiting.pid, pg_cancel_backend(waiting.pid) from pg_locks as waiting
     join pg_locks as held_up on held_up.locktype = 'virtualxid' and not held_up.granted
       and held_up.virtualxid = waiting.virtualtransaction
     cross join hashtextextended($1, 0) as key
     where waiting.locktype = 'advisory' and not waiting.granted and waiting.objsubid = 1
       and waiting.database = (select oid from pg_database where datname = current_database())
       and waiting.classid::bigint = (key >> 32) & 4294967295 and waiting.objid::bigint = key & 4294967295`,
    [lockName(schema)],
  );
  for (const { pid } of rows)
    log.warn({ schema, pid }, 'A migration of an earlier release holds up an index: its wait is cancelled.');
}

async function connectPatiently({ url, tls }: DatabaseSettings): Promise<Client> {
  const deadline = Date.now() + connectMs;
  for (;;) {
    const client = new Client({
      connectionString: withoutSslMode(url),
      ssl: tls ?? false,
      connectionTimeoutMillis: 5000,
      // It is silent for as long as an index takes, and what stands between forgets silent connections.
      keepAlive: true,
      keepAliveInitialDelayMillis: 1000,
    });
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      log.info({ err: error, why: tlsFailure(error) }, 'The database is not up yet.');
      await delay(500);
    }
  }
}

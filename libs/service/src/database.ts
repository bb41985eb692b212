import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { Client, type ClientConfig, type Pool } from 'pg';
import type { DataSource, DataSourceOptions } from 'typeorm';
import { getLogger } from './logging';
import { withoutSslMode } from './tls/address';
import { tlsFailure } from './tls/failure';

const log = getLogger('Database');

/**
 * How long a service waits for its database: connecting, one statement, one lock. Together below the 2 s in which a
 * caller hears `unavailable`.
 */
export const databaseTimeouts = {
  connectMs: 700,
  statementMs: 1000,
  lockMs: 900,
  idleInTransactionMs: 1000,
} as const;

/**
 * How long a connection that nobody uses is kept. On a busy machine making one takes longer than a statement does, now and then
 * longer than `connectMs`; so what a burst has made is kept for the next one.
 */
const idleMs = 600_000;

/** How much longer than a statement may take a server may be silent before its connection is dropped. */
const silenceMarginMs = 200;

/** An untrusted database is told of this often at most. */
const untrustedSaidMs = 2000;

export interface DatabaseSettings {
  url: string;
  /** For an encrypted connection: `clientTls('DATABASE', config)`. */
  tls?: ConnectionOptions;
  /** The service's own PostgreSQL schema, also the connection's search path. */
  schema: string;
  entities: NonNullable<DataSourceOptions['entities']>;
  migrations: NonNullable<DataSourceOptions['migrations']>;
  /** Connections in the pool. */
  poolMax?: number;
  /** Anything else for the pg pool, for example `{statement_timeout: 5000}` for a reader of long lists. */
  extra?: Record<string, unknown>;
}

/** What a service needs of its schema is not there yet, and waiting would not bring it. */
export class MissingMigrations extends Error {
  constructor(names: readonly string[]) {
    super(`The database lacks the migrations ${names.join(', ')}. Run: node dist/migrate.js`);
  }
}

/**
 * Options for a pool of connections. Bounded in every direction: a dead, frozen or overloaded database fails a request
 * within 2 s and never ends the process. At start the module waits for the database, however long that takes.
 */
export function typeormOptions(settings: DatabaseSettings): TypeOrmModuleOptions {
  return {
    ...dataSourceOptions(settings),
    retryAttempts: Number.MAX_SAFE_INTEGER,
    retryDelay: 1000,
    toRetry: (error: unknown) => {
      if (error instanceof MissingMigrations) return false;
      log.warn({ err: error, why: tlsFailure(error) }, 'The database cannot be reached.');
      return true;
    },
  };
}

/** Options for a `DataSource` of an app: of its service, or of its migrations. */
export function dataSourceOptions(settings: DatabaseSettings) {
  const { url, tls, schema, entities, migrations, poolMax = 10, extra } = settings;
  return {
    type: 'postgres',
    url: withoutSslMode(url),
    schema: checkedSchema(schema),
    entities,
    migrations,
    migrationsTableName: 'migrations',
    synchronize: false,
    logging: false,
    applicationName: `parley-${schema}`,
    // Emitted for idle connections whose server went away; the pool replaces them.
    poolErrorHandler: (error: unknown) => log.warn({ err: error }, 'An idle database connection was lost.'),
    extra: {
      Client: watchedClient(),
      // Said here in full: an address would add defaults of its own, and the environment others.
      ssl: tls ?? false,
      max: poolMax,
      connectionTimeoutMillis: databaseTimeouts.connectMs,
      idleTimeoutMillis: idleMs,
      statement_timeout: databaseTimeouts.statementMs,
      lock_timeout: databaseTimeouts.lockMs,
      idle_in_transaction_session_timeout: databaseTimeouts.idleInTransactionMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 1000,
      // The server's side: it notices a vanished client, and frees its locks, within seconds.
      options:
        `-c search_path=${schema} -c tcp_keepalives_idle=1 -c tcp_keepalives_interval=1 ` +
        '-c tcp_keepalives_count=3 -c tcp_user_timeout=1000',
      ...extra,
    },
  } satisfies DataSourceOptions;
}

/** The pg pool under a data source, for named prepared statements and everything that is hot. */
export function pgPool(dataSource: DataSource): Pool {
  return (dataSource.driver as unknown as { master: Pool }).master;
}

/**
 * Makes all connections of a pool, for what is not to wait for one later. What cannot be had now is made when it is needed,
 * as ever.
 */
export async function connectAll(dataSource: DataSource): Promise<void> {
  const pool = pgPool(dataSource);
  const made = await Promise.allSettled(Array.from({ length: pool.options.max }, () => pool.connect()));
  for (const each of made) if (each.status === 'fulfilled') each.value.release();
}

/** `query_canceled`: the statement has taken too long. */
const CANCELLED = '57014';
/** The pool's own words, which have no code, for a connection that was not there in time. */
const UNCONNECTED = /connection timeout|timeout exceeded when trying to connect/;

/**
 * Reads once more what a standstill of the server has cancelled, or kept from a connection: these errors come when it is
 * over, or soon. For what a write over HTTP needs to know first, whose caller waits for longer than 2 s.
 */
export async function readAgain<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isCancelled(error) && !isUnconnected(error)) throw error;
    return read();
  }
}

function isUnconnected(error: unknown): boolean {
  return UNCONNECTED.test(String((error as { message?: unknown }).message));
}

/** Whether PostgreSQL has cancelled the statement because it took longer than `databaseTimeouts.statementMs`. */
export function isCancelled(error: unknown): boolean {
  return (error as { code?: unknown }).code === CANCELLED;
}

/** What we know of the driver's client, beside its types. */
interface Watched {
  connection: { stream: Socket };
  /** The last statement came to its end. */
  readyForQuery: boolean;
}

/**
 * A check for the health registry: the database answers. Where more wait for a connection than the pool has, it is enough that
 * somebody's statement came to an end meanwhile: all instances share the load, and would go out of service together.
 */
export function databaseCheck(dataSource: DataSource): () => Promise<unknown> {
  let answeredAt = -Infinity;
  const pool = pgPool(dataSource);
  pool.on('release', (error: unknown, client: unknown) => {
    // Not so after a statement to which nothing was answered, whether whoever gives it back says so or not.
    if (!error && (client as Watched).readyForQuery) answeredAt = performance.now();
  });
  return async () => {
    const askedAt = performance.now();
    try {
      await pool.query('select 1');
    } catch (error) {
      if (isUnconnected(error) && answeredAt > askedAt) return;
      tellUntrusted(error);
      throw error;
    }
  };
}

/**
 * A client that drops its connection when the server goes silent during a query: PostgreSQL answers or cancels within its
 * statement timeout, so silence means that it is frozen or unreachable, and a ROLLBACK on that connection would hang too.
 * The class is made when it is asked for: the driver is loaded at its first use, and apps without a database lack it.
 */
function watchedClient(): typeof Client {
  return class WatchedClient extends Client {
    constructor(config: ClientConfig) {
      super(config);
      // While it is checked out the pool does not listen; an error without any listener would end the process.
      this.on('error', (error) => log.warn({ err: error }, 'A database connection was lost.'));
      const statementMs = Number(config.statement_timeout ?? 0);
      if (statementMs > 0) this.once('connect', () => watch(this, statementMs + silenceMarginMs));
    }
  };
}

let untrustedSaidAtMs = -Infinity;

/** That the database is away, those who ask it say; that it cannot be trusted, nobody else would. */
function tellUntrusted(error: unknown): void {
  const why = tlsFailure(error);
  if (why === undefined || performance.now() - untrustedSaidAtMs < untrustedSaidMs) return;
  untrustedSaidAtMs = performance.now();
  log.warn({ err: error, why }, 'The database is not trusted.');
}

function watch(client: Client, silenceMs: number): void {
  const { stream } = (client as unknown as Watched).connection;
  stream.setTimeout(silenceMs, () => {
    if (!(client as unknown as Watched).readyForQuery)
      stream.destroy(new Error('Connection terminated: the database is silent.'));
  });
}

/** @throws Error for what would have to be quoted */
export function checkedSchema(schema: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) throw new Error('The schema must be a plain lower-case name.');
  return schema;
}

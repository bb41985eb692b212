import { readFileSync } from 'node:fs';
import type { System } from '@parley/tool-load';
import { LocalError } from '@parley/tool-local';
import { Client } from 'pg';

export interface Statement {
  text: string;
  calls: number;
  rows: number;
  /** Pages of 8 KB that were touched, in memory or on disk. */
  pages: number;
}

export interface TableSize {
  /** `schema.table`. */
  name: string;
  rows: number;
  bytes: number;
  indexBytes: number;
}

/** What PostgreSQL did between two moments: exact, whatever else the machine does. */
export class Database {
  private constructor(
    private readonly client: Client,
    private readonly logFile: string,
  ) {}

  /** Restarts PostgreSQL with its statistics of statements switched on; the apps come back by themselves. */
  static async observe(system: System, logFile: string): Promise<Database> {
    const { postgres } = system.servers;
    await withClient(postgres.url, (client) =>
      client.query('alter system set shared_preload_libraries = pg_stat_statements, auto_explain'),
    );
    await postgres.stop();
    await postgres.start().catch((error: Error) => {
      throw new LocalError(
        `PostgreSQL does not start with pg_stat_statements and auto_explain: ${error.message}`,
        'Install its contributed modules (package postgresql-contrib).',
      );
    });
    const client = new Client({ connectionString: postgres.url });
    // At an interruption the server may end before us.
    client.on('error', () => undefined);
    await client.connect();
    await client.query('create extension if not exists pg_stat_statements');
    return new Database(client, logFile);
  }

  async reset(): Promise<void> {
    await this.client.query('select pg_stat_statements_reset()');
  }

  /** Statements of the apps since `reset`; those of leases and positions, which come by the clock, are left out. */
  async statements(): Promise<Statement[]> {
    const { rows } = await this.client.query<{ text: string; calls: string; rows: string; pages: string }>(
      `select query as text, calls, rows, shared_blks_hit + shared_blks_read as pages from pg_stat_statements
       where dbid = (select oid from pg_database where datname = current_database())
         and query !~ 'pg_stat_statements|leases|^(BEGIN|COMMIT|ROLLBACK)|^SET|^select 1$|^SELECT 1$|feed_positions|applied'`,
    );
    return rows.map(({ text, ...counts }) => ({
      text: text.replace(/\s+/g, ' '),
      calls: Number(counts.calls),
      rows: Number(counts.rows),
      pages: Number(counts.pages),
    }));
  }

  /** The statements whose text contains `part`, added up. */
  async used(part: string): Promise<Omit<Statement, 'text'>> {
    const found = (await this.statements()).filter(({ text }) => text.includes(part));
    return sumOf(found);
  }

  async sizes(): Promise<TableSize[]> {
    await this.client.query('analyze');
    const { rows } = await this.client.query<{ name: string; rows: string; bytes: string; index: string }>(
      `select n.nspname || '.' || c.relname as name, greatest(c.reltuples, 0)::bigint as rows,
         pg_table_size(c.oid) as bytes, pg_indexes_size(c.oid) as index
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)'`,
    );
    return rows.map(({ name, ...numbers }) => ({
      name,
      rows: Number(numbers.rows),
      bytes: Number(numbers.bytes),
      indexBytes: Number(numbers.index),
    }));
  }

  /** Runs `work` and gives the plans of everything that the apps asked meanwhile, as PostgreSQL logged them. */
  async plans(work: () => Promise<unknown>): Promise<string[]> {
    const before = readFileSync(this.logFile, 'utf8').length;
    await this.log(0);
    await work();
    await this.log(-1);
    return plansIn(readFileSync(this.logFile, 'utf8').slice(before));
  }

  async end(): Promise<void> {
    await this.client.end();
  }

  private async log(minDurationMs: number): Promise<void> {
    await this.client.query(`alter system set auto_explain.log_min_duration = ${minDurationMs}`);
    await this.client.query(`alter system set auto_explain.log_analyze = ${minDurationMs === 0}`);
    await this.client.query('select pg_reload_conf()');
    // Each backend reads its configuration before its next statement; the signal takes a moment to reach it.
    await this.client.query('select pg_sleep(0.3)');
  }
}

export function sumOf(statements: readonly Omit<Statement, 'text'>[]): Omit<Statement, 'text'> {
  return statements.reduce<Omit<Statement, 'text'>>(
    (sum, one) => ({ calls: sum.calls + one.calls, rows: sum.rows + one.rows, pages: sum.pages + one.pages }),
    { calls: 0, rows: 0, pages: 0 },
  );
}

/** Cuts auto_explain's entries out of a server log: the query, then the plan, whose lines begin with a tab. */
export function plansIn(log: string): string[] {
  return log
    .split(/^(?=\d{4}-\d\d-\d\d )/m)
    .filter((entry) => entry.includes('Query Text:'))
    .map((entry) => entry.slice(entry.indexOf('Query Text:')));
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

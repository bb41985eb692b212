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

  /** Statements of the apps since `reset`, but for those that come by the clock. */
  async statements(): Promise<Statement[]> {
    const { rows } = await this.client.query<{ text: string; calls: string; rows: string; pages: string }>(
      `select query as text, calls, rows, shared_blks_hit + shared_blks_read as pages from pg_stat_statements
       where dbid = (select oid from pg_database where datname = current_database())`,
    );
    return rows
      .map(({ text, ...counts }) => ({
        text: text.replace(/\s+/g, ' ').trim(),
        calls: Number(counts.calls),
        rows: Number(counts.rows),
        pages: Number(counts.pages),
      }))
      .filter(({ text }) => !isByTheClock(text));
  }

  /**
   * The statements whose text contains one of `parts`, added up.
   * @throws Error when there is none: then what was to be measured did not run, or is worded otherwise now.
   */
  async used(...parts: string[]): Promise<Omit<Statement, 'text'>> {
    const all = await this.statements();
    const found = all.filter(({ text }) => parts.some((part) => text.includes(part)));
    if (found.length === 0) throw new Error(`PostgreSQL ran nothing with "${parts.join('" or "')}".`);
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

  /**
   * Runs `work` and gives the plans of everything that the apps asked meanwhile, as PostgreSQL logged them.
   * @throws Error when it logged none
   */
  async plans(work: () => Promise<unknown>): Promise<string[]> {
    const before = readFileSync(this.logFile, 'utf8').length;
    await this.log(0);
    await work();
    await this.log(-1);
    const plans = plansIn(readFileSync(this.logFile, 'utf8').slice(before));
    if (plans.length === 0) throw new Error(`PostgreSQL logged no plan in ${this.logFile}.`);
    return plans;
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

/** Leases, looks for what is left to do, comparisons of positions, and what frames transactions: whole statements. */
const BY_THE_CLOCK = [
  /^select partition, term, owner, .* from leases$/,
  /^update leases set /,
  /^select partition, position from applied where partition = any\(\$1\) and epoch = \$2$/,
  /^select \$1 from auth\.outbox limit \$2$/,
  /^select id from conversations where is_deleted and not memberships_ended\b/,
  /^select (\$1|1)( as \w+)?$/i,
  /^(begin|start transaction|commit|rollback|set|show|alter|create|analyze)\b/i,
  /\bpg_stat_statements/,
];

/** Whether a statement runs however much, or little, people ask. */
export function isByTheClock(text: string): boolean {
  return BY_THE_CLOCK.some((pattern) => pattern.test(text));
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

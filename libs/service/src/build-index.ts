import { setTimeout as delay } from 'node:timers/promises';
import type { QueryRunner } from 'typeorm';

const buildingAgainMs = 500;

/**
 * Builds an index beside the writing. For a migration with `transaction = false`, which may be cut off anywhere and is begun anew.
 * PostgreSQL goes on with an index whose migration has been killed, however long it takes: what is being built is waited for, what
 * is finished stays, and what was given up in the middle, which serves nothing, is built anew.
 *
 * @param name one that no index had before, however long ago; without a schema it is looked for in the search path
 * @param on the table, and what follows it: `users (email)`
 */
export async function buildIndex(runner: QueryRunner, name: string, on: string): Promise<void> {
  const [table] = on.split(/[\s(]/, 1);
  // Nothing is asked for while another index of the table is built: it would wait for our statement, and ours for it.
  while (await isAnyBuilt(runner, table!)) await delay(buildingAgainMs);
  if (await isFinished(runner, name)) return;
  await dropIndex(runner, name);
  await patiently(runner, `create index concurrently ${name.replace(/^.*\./, '')} on ${on}`);
}

/** Beside the writing, too. */
export async function dropIndex(runner: QueryRunner, name: string): Promise<void> {
  await patiently(runner, `drop index concurrently if exists ${name}`);
}

/** These wait for all who use the table, however long, and nobody waits behind them. */
async function patiently(runner: QueryRunner, statement: string): Promise<void> {
  await runner.query('set lock_timeout = 0');
  await runner.query(statement);
  await runner.query('reset lock_timeout');
}

/** Whether PostgreSQL builds an index of the table at this moment. */
async function isAnyBuilt(runner: QueryRunner, table: string): Promise<boolean> {
  return exists(
    runner,
    `pg_stat_progress_create_index
     where datname = current_database() and relid = to_regclass($1)`,
    table,
  );
}

async function isFinished(runner: QueryRunner, name: string): Promise<boolean> {
  return exists(runner, 'pg_index where indexrelid = to_regclass($1) and indisvalid', name);
}

async function exists(runner: QueryRunner, what: string, name: string): Promise<boolean> {
  const rows = (await runner.query(`select exists (select from ${what}) as found`, [name])) as {
    found: boolean;
  }[];
  return rows[0]!.found;
}

import type { QueryRunner } from 'typeorm';

/**
 * Builds an index beside the writing. For a migration with `transaction = false`, which may be cut off anywhere and is begun anew:
 * an index that was not finished is there, but serves nothing.
 *
 * @param name without a schema it is looked for in the search path
 * @param on the table, and what follows it: `users (email)`
 */
export async function buildIndex(runner: QueryRunner, name: string, on: string): Promise<void> {
  await dropIndex(runner, name);
  await runner.query(`create index concurrently ${name.replace(/^.*\./, '')} on ${on}`);
}

/** Beside the writing, too. */
export async function dropIndex(runner: QueryRunner, name: string): Promise<void> {
  await runner.query(`drop index concurrently if exists ${name}`);
}

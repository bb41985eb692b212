import type { Pool } from 'pg';

/**
 * How many pages of 8 KB of tables and their indexes `work` touches in PostgreSQL, in memory or on disk: exact, whatever
 * else the machine does. Where many rows of others are there, a number that is small says that every statement has an
 * index to go by.
 *
 * @param pool of one connection, for each counts on its own; nobody else uses the database meanwhile
 */
export async function pagesTouched(pool: Pool, work: () => Promise<unknown>): Promise<number> {
  if (pool.options.max !== 1) throw new Error('pagesTouched wants a pool of one connection.');
  const before = await touchedSoFar(pool);
  await work();
  return (await touchedSoFar(pool)) - before;
}

async function touchedSoFar(pool: Pool): Promise<number> {
  // Else a connection hands over its counts now and then.
  await pool.query('select pg_stat_force_next_flush()');
  const { rows } = await pool.query<{ pages: string }>(
    `select sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0)) as pages
     from pg_statio_user_tables`,
  );
  return Number(rows[0]?.pages ?? 0);
}

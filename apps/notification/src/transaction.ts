import type { Pool, PoolClient } from 'pg';

/** Commits what the work did, or nothing of it when it throws. Rejects with pg's errors. */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => (broken = failure));
    throw error;
  } finally {
    // A connection that cannot even roll back is of no more use to anybody.
    client.release(broken);
  }
}

/** One array for each column, as `unnest` takes them. */
export function columns<T>(rows: T[], ...names: (keyof T)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name]));
}

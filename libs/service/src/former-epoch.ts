import type { Pool } from 'pg';
import { NIL } from 'uuid';

const CONVERSATIONS_PER_STEP = 200;
/** Rows deleted by one statement: well within its time. */
export const ROWS_PER_STEP = 2_000;

/** The tables in which a service keeps what it has taken from the log; names come from code alone. */
export interface FedTables {
  /** A row for each partition, with its `epoch` and `position`. */
  positions: string;
  /** Events that were put aside, by `partition` and `position`. */
  parked: string;
  /** What a conversation holds, by table, with the column that makes a row's primary key with `conversation_id`. */
  contents: readonly (readonly [table: string, key: string])[];
}

/**
 * Empties a partition that holds another epoch, and then lets it begin with this one, in steps that each fit a statement's time.
 *
 * First the partition loses its epoch, and from then on nobody writes to it. A step deletes only while that is so: of two
 * instances that do this at once, the later one touches nothing that was written under the new epoch. What a crash has left
 * has no epoch either and is emptied by whoever loads the partition next.
 *
 * @param pool connections whose search path is the schema of the tables, with `conversations (id, partition)` among them
 */
export async function dropFormerEpoch(
  pool: Pool,
  { positions, parked, contents }: FedTables,
  partition: number,
  epoch: string,
): Promise<void> {
  // Whether it has lost its epoch and got no other. Part of each step, which sees the tables as of the same moment.
  const isEmptied = `exists (select from ${positions} where partition = $1 and epoch = '')`;
  await pool.query(`update ${positions} set epoch = '' where partition = $1 and epoch <> $2`, [
    partition,
    epoch,
  ]);
  // By rising id, so that no step meets again what those before it have deleted.
  for (let after: string = NIL; ;) {
    const { rows } = await pool.query<{ id: string }>(
      `select id from conversations where partition = $1 and id > $2 and ${isEmptied}
       order by id limit ${CONVERSATIONS_PER_STEP}`,
      [partition, after],
    );
    const ids = rows.map(({ id }) => id);
    const last = ids.at(-1);
    if (last === undefined) break;
    for (const [table, key] of contents) {
      await untilFew(
        pool,
        `delete from ${table} where ctid = any(array(
           select t.ctid from unnest($2::uuid[]) as c (id) cross join lateral (
             select ctid from ${table} where conversation_id = c.id order by ${key} limit ${ROWS_PER_STEP}) as t
           where ${isEmptied} limit ${ROWS_PER_STEP}))`,
        [partition, ids],
      );
    }
    await pool.query(
      `delete from conversations where id = any($2::uuid[]) and partition = $1 and ${isEmptied}`,
      [partition, ids],
    );
    after = last;
  }
  // The replay meets their rows anew.
  await untilFew(
    pool,
    `delete from ${parked} where ctid = any(array(
       select ctid from ${parked} where partition = $1 and ${isEmptied} order by position limit ${ROWS_PER_STEP}))`,
    [partition],
  );
  await pool.query(`update ${positions} set epoch = $2, position = 0 where partition = $1 and epoch = ''`, [
    partition,
    epoch,
  ]);
}

/** Repeats a step until it has found fewer rows than it may delete. */
async function untilFew(pool: Pool, step: string, values: unknown[]): Promise<void> {
  while ((await pool.query(step, values)).rowCount === ROWS_PER_STEP) continue;
}

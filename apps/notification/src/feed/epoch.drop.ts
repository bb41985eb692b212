import type { Pool } from 'pg';

const CONVERSATIONS_PER_STEP = 200;
/** Deleted by one statement: well within its time. */
const ROWS_PER_STEP = 2_000;

/** Whether partition `$1` has lost its epoch and got no other. Part of each step, which sees the tables as of the same moment. */
const isEmptied = `exists (select from feed_positions where partition = $1 and epoch = '')`;

/**
 * Empties a partition that holds another epoch, and then lets it begin with this one. In steps, since all the memberships of a
 * partition may be more than one statement can delete in its time.
 *
 * First the partition loses its epoch, and from then on nobody writes to it. A step deletes only while that is so: of two
 * instances that do this at once, the later one touches nothing that was written under the new epoch. What a crash has left
 * has no epoch either and is emptied by whoever loads the partition next.
 */
export async function dropFormerEpoch(pool: Pool, partition: number, epoch: string): Promise<void> {
  await pool.query(`update feed_positions set epoch = '' where partition = $1 and epoch <> $2`, [
    partition,
    epoch,
  ]);
  // By rising id, so that no step meets again what those before it have deleted.
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const ids = await nextConversations(pool, partition, after);
    const last = ids.at(-1);
    if (last === undefined) break;
    await deleteConversations(pool, partition, ids);
    after = last;
  }
  // The replay meets their rows anew.
  await untilFew(
    pool,
    `delete from parked_events where ctid = any(array(
       select ctid from parked_events where partition = $1 and ${isEmptied}
       order by position, epoch limit ${ROWS_PER_STEP}))`,
    [partition],
  );
  await pool.query(`update feed_positions set epoch = $2, position = 0 where partition = $1 and epoch = ''`, [
    partition,
    epoch,
  ]);
}

async function nextConversations(pool: Pool, partition: number, after: string): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from conversations where partition = $1 and id > $2 and ${isEmptied}
     order by id limit ${CONVERSATIONS_PER_STEP}`,
    [partition, after],
  );
  return rows.map(({ id }) => id);
}

async function deleteConversations(pool: Pool, partition: number, ids: string[]): Promise<void> {
  await untilFew(
    pool,
    `delete from members where ctid = any(array(
       select m.ctid from unnest($2::uuid[]) as c (id) cross join lateral (
         select ctid from members where conversation_id = c.id order by user_id limit ${ROWS_PER_STEP}) as m
       where ${isEmptied} limit ${ROWS_PER_STEP}))`,
    [partition, ids],
  );
  await pool.query(
    `delete from conversations where id = any($2::uuid[]) and partition = $1 and ${isEmptied}`,
    [partition, ids],
  );
}

/** Repeats a step until it has found fewer rows than it may delete. */
async function untilFew(pool: Pool, step: string, values: unknown[]): Promise<void> {
  while ((await pool.query(step, values)).rowCount === ROWS_PER_STEP) continue;
}

import type { Pool } from 'pg';

const conversationsPerStep = 200;

/** Rows deleted by one statement: well within its time. */
export const deleteStep = 2000;

/** What a conversation holds, each table with the column that makes a row's primary key with the conversation's id. */
export const contentTables = Object.entries({ messages: 'number', members: 'user_id' });

/** Whether partition `$1` has lost its epoch and got no other. Part of each step, which sees the tables as of the same moment. */
const isEmptied = `exists (select from applied where partition = $1 and epoch = '')`;

/**
 * Empties a partition that holds another epoch, and then lets it begin with this one, in steps that each fit a statement's time.
 *
 * First the partition loses its epoch, and from then on nobody writes to it. A step deletes only while that is so: of two
 * instances that do this at once, the later one touches nothing that was written under the new epoch. What a crash has left
 * has no epoch either and is emptied by whoever loads the partition next.
 */
export async function dropFormerEpoch(pool: Pool, partition: number, epoch: string): Promise<void> {
  await pool.query(`update applied set epoch = '' where partition = $1 and epoch <> $2`, [partition, epoch]);
  // By rising id, so that no step meets again what those before it have deleted.
  let after = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const ids = await nextConversations(pool, partition, after);
    const last = ids.at(-1);
    if (last === undefined) break;
    await deleteConversations(pool, partition, ids);
    after = last;
  }
  await untilFew(
    pool,
    `delete from parked where ctid = any(array(
       select ctid from parked where partition = $1 and ${isEmptied} order by position limit ${deleteStep}))`,
    [partition],
  );
  await pool.query(`update applied set epoch = $2, position = 0 where partition = $1 and epoch = ''`, [
    partition,
    epoch,
  ]);
}

async function nextConversations(pool: Pool, partition: number, after: string): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select id from conversations where partition = $1 and id > $2 and ${isEmptied}
     order by id limit ${conversationsPerStep}`,
    [partition, after],
  );
  return rows.map(({ id }) => id);
}

async function deleteConversations(pool: Pool, partition: number, ids: string[]): Promise<void> {
  for (const [table, key] of contentTables) {
    await untilFew(
      pool,
      `delete from ${table} where ctid = any(array(
         select t.ctid from unnest($2::uuid[]) as c (id) cross join lateral (
           select ctid from ${table} where conversation_id = c.id order by ${key} limit ${deleteStep}) as t
         where ${isEmptied} limit ${deleteStep}))`,
      [partition, ids],
    );
  }
  await pool.query(
    `delete from conversations where id = any($2::uuid[]) and partition = $1 and ${isEmptied}`,
    [partition, ids],
  );
}

/** Repeats a step until it has found fewer rows than it may delete. */
async function untilFew(pool: Pool, step: string, values: unknown[]): Promise<void> {
  while ((await pool.query(step, values)).rowCount === deleteStep) continue;
}

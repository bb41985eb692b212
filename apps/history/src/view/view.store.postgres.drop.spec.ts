import { randomUUID } from 'node:crypto';
import { partitionOf } from '@parley/contracts';
import { pagesTouched } from '@parley/testing';
import type { Pool, QueryResult } from 'pg';
import { LogWriter } from '../testing/log';
import { freshPostgres } from '../testing/postgres';
import { soundRows } from './view.store.contract';
import { PostgresViewStore } from './view.store.postgres';
import { PostgresViewFeedStore } from './view.store.postgres.feed';

const PARTITION = 7;
const CONVERSATIONS = 4_000;

let pool: Pool;
let end: () => Promise<void>;

beforeAll(async () => {
  ({ pool, end } = await freshPostgres());
  // Nobody cleans up behind the steps.
  for (const table of ['conversations', 'messages', 'members'])
    await pool.query(`alter table ${table} set (autovacuum_enabled = false)`);
});
afterAll(() => end());

beforeEach(async () => {
  await pool.query('truncate applied, conversations, messages, members, parked');
  await pool.query(`insert into applied values ($1, 'former', 9)`, [PARTITION]);
  await pool.query(
    `with c as (
       insert into conversations (id, partition, head, message_count, shared_version, shared_position, deleted)
       select gen_random_uuid(), $1, 2, 2, 1, 1, false from generate_series(1, $2::integer) returning id),
     m as (
       insert into messages (conversation_id, number, version, created_at, id, pinned, body)
       select id, number, number, now(), gen_random_uuid(), false, '{}' from c, generate_series(1, 2) number)
     insert into members (conversation_id, user_id, role, joined_at, version, position, removed)
     select id, gen_random_uuid(), 'member', now(), 1, 1, false from c, generate_series(1, 2)`,
    [PARTITION, CONVERSATIONS],
  );
});

/** The same pool, where something happens around each statement. */
function around(each: (run: () => Promise<QueryResult>, text: string) => Promise<QueryResult>): Pool {
  const query = (text: string, values?: unknown[]) => each(() => pool.query(text, values), text);
  return { query } as unknown as Pool;
}

/** A new id of a conversation of this partition. */
function idIn(partition: number): string {
  for (;;) {
    const id = randomUUID();
    if (partitionOf(id) === partition) return id;
  }
}

const left = async () => {
  const { rows } = await pool.query<{ n: number }>(
    `select ((select count(*) from messages) + (select count(*) from members) + (select count(*) from conversations))::integer as n`,
  );
  return rows[0]?.n;
};

it('each step of emptying a partition costs the same, however much is gone', async () => {
  const pages: number[] = [];
  const counted = around(async (run) => {
    let result: QueryResult | undefined;
    pages.push(await pagesTouched(pool, async () => (result = await run())));
    return result as QueryResult;
  });

  const positions = await new PostgresViewFeedStore(counted).load([PARTITION], 'new');

  expect(positions).toEqual(new Map([[PARTITION, 0]]));
  expect(await left()).toBe(0);
  expect(pages.length).toBeGreaterThan(60);
  const most = (part: number[]) => Math.max(...part);
  expect(most(pages.slice(-30))).toBeLessThanOrEqual(2 * most(pages.slice(0, 30)));
});

it('an instance that comes late deletes nothing of the new epoch, whichever step it is at', async () => {
  const log = new LogWriter();
  const alice = randomUUID();
  const id = log.create('group', [alice], { id: idIn(PARTITION) });
  log.send(id, alice, 'hello');
  const other = new PostgresViewFeedStore(pool);
  const view = new PostgresViewStore(pool);
  for (const overtakenAt of [
    'select id from conv',
    'delete from messages',
    'delete from conversations',
    'update applied set epoch = $2',
  ]) {
    await pool.query(`update applied set epoch = 'former' where partition = $1`, [PARTITION]);
    let isOvertaken = false;
    const slow = around(async (run, text) => {
      if (!isOvertaken && text.includes(overtakenAt)) {
        isOvertaken = true;
        await other.load([PARTITION], 'new');
        await other.apply(soundRows(log.all()), [], 'new');
      }
      return run();
    });

    const positions = await new PostgresViewFeedStore(slow).load([PARTITION], 'new');

    expect(isOvertaken).toBe(true);
    expect(positions).toEqual(new Map([[PARTITION, 2]]));
    expect(await view.messages({ conversationId: id, newest: true, limit: 10 })).toHaveLength(1);
    expect((await view.standings(alice, [id])).get(id)).toMatchObject({
      epoch: 'new',
      head: 2,
      isMember: true,
    });
  }
});

it('what a crash has left is emptied by the next load, and nobody writes to it meanwhile', async () => {
  let statements = 0;
  const crashing = around((run) => {
    statements += 1;
    return statements > 10 ? Promise.reject(new Error('crashed')) : run();
  });
  await expect(new PostgresViewFeedStore(crashing).load([PARTITION], 'new')).rejects.toThrow('crashed');
  const store = new PostgresViewFeedStore(pool);
  const rows = [{ partition: PARTITION, first: 10, last: 10, rows: [] }];
  await expect(store.apply(rows, [], 'former')).rejects.toThrow();
  await expect(store.apply(rows, [], 'new')).rejects.toThrow();
  expect(await left()).toBeGreaterThan(0);

  expect(await store.load([PARTITION], 'new')).toEqual(new Map([[PARTITION, 0]]));

  expect(await left()).toBe(0);
});

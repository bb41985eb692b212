import { randomUUID } from 'node:crypto';
import { pagesTouched } from '@parley/testing';
import type { Pool, QueryResult } from 'pg';
import { neighbourOf, LogWriter } from '../testing/log';
import { freshPostgres } from '../testing/postgres';
import { BatchWalk } from './batch.walk';
import { FeedStore, OutOfStep } from './feed.store';

const PARTITION = 7;
const CONVERSATIONS = 2_000;
const MEMBERS_EACH = 25;
/** Of this partition. */
const SOME_ID = `${randomUUID().slice(0, -6)}000007`;

let pool: Pool;

beforeAll(async () => {
  pool = await freshPostgres();
  // Nobody cleans up behind the steps.
  for (const table of ['conversations', 'members'])
    await pool.query(`alter table ${table} set (autovacuum_enabled = false)`);
});
afterAll(() => pool.end());

beforeEach(async () => {
  await pool.query('truncate conversations, members, parked_events');
  await pool.query(`update feed_positions set epoch = 'former', position = 9 where partition = $1`, [
    PARTITION,
  ]);
  await pool.query(
    `insert into conversations (id, partition, type, member_count)
     select gen_random_uuid(), $1, 'channel', $3 from generate_series(1, $2::integer)`,
    [PARTITION, CONVERSATIONS, MEMBERS_EACH],
  );
  await pool.query(
    `insert into members (conversation_id, user_id)
     select id, gen_random_uuid() from conversations, generate_series(1, $1::integer)`,
    [MEMBERS_EACH],
  );
  await pool.query(
    `insert into parked_events (partition, position, epoch, reason) values ($1, 5, 'former', 'some')`,
    [PARTITION],
  );
});

/** The same pool, where something happens around each statement. */
function around(each: (run: () => Promise<QueryResult>, text: string) => Promise<QueryResult>): Pool {
  const query = (text: string, values?: unknown[]) => each(() => pool.query(text, values), text);
  return { query } as unknown as Pool;
}

const left = async () => {
  const tables = ['members', 'conversations', 'parked_events'];
  const counts = tables.map((table) => `(select count(*) from ${table})`).join(' + ');
  const { rows } = await pool.query<{ n: number }>(`select (${counts})::integer as n`);
  return rows[0]?.n;
};

/** Stores what the log says from its beginning. */
async function feedAll(store: FeedStore, log: LogWriter, epoch: string): Promise<void> {
  const rows = log.rows.get(PARTITION) ?? [];
  const walk = new BatchWalk({ states: new Map(), mentionedMembers: new Set() }, 2);
  walk.walk([{ partition: PARTITION, rows }]);
  await store.commit(epoch, [{ partition: PARTITION, first: 1, last: rows.length }], walk, [], []);
}

it('each step of emptying a partition costs the same, however much is gone', async () => {
  const pages: number[] = [];
  const counted = around(async (run) => {
    let result: QueryResult | undefined;
    pages.push(await pagesTouched(pool, async () => (result = await run())));
    return result as QueryResult;
  });

  const positions = await new FeedStore(counted).load([PARTITION], 'new');

  expect(positions).toEqual(new Map([[PARTITION, 0]]));
  expect(await left()).toBe(0);
  expect(pages.length).toBeGreaterThan(30);
  const most = (part: number[]) => Math.max(...part);
  expect(most(pages.slice(-15))).toBeLessThanOrEqual(2 * most(pages.slice(0, 15)));
});

it('an instance that comes late deletes nothing of the new epoch, whichever step it is at', async () => {
  const log = new LogWriter();
  const alice = randomUUID();
  const id = log.create('group', [alice, randomUUID()], neighbourOf(SOME_ID));
  const other = new FeedStore(pool);
  const steps = [
    'select id from conv',
    'delete from members',
    'delete from conv',
    'delete from parked',
    'set epoch = $2',
  ];
  for (const overtakenAt of steps) {
    await pool.query(`update feed_positions set epoch = 'former' where partition = $1`, [PARTITION]);
    let isOvertaken = false;
    const slow = around(async (run, text) => {
      if (!isOvertaken && text.includes(overtakenAt)) {
        isOvertaken = true;
        await other.load([PARTITION], 'new');
        await feedAll(other, log, 'new');
      }
      return run();
    });

    const positions = await new FeedStore(slow).load([PARTITION], 'new');

    expect(isOvertaken).toBe(true);
    expect(positions).toEqual(new Map([[PARTITION, 1]]));
    expect(await other.membersAmong([{ conversationId: id, userId: alice }])).toHaveProperty('size', 1);
    expect([...(await other.conversations([id], 10)).keys()]).toEqual([id]);
  }
});

it('what a crash has left is emptied by the next load, and nobody writes to it meanwhile', async () => {
  let statements = 0;
  const crashing = around((run) => {
    statements += 1;
    return statements > 10 ? Promise.reject(new Error('crashed')) : run();
  });
  const store = new FeedStore(pool);
  await store.load([PARTITION], 'former');
  await expect(new FeedStore(crashing).load([PARTITION], 'new')).rejects.toThrow('crashed');
  const log = new LogWriter();
  log.create('group', [randomUUID(), randomUUID()], neighbourOf(SOME_ID));
  await expect(feedAll(store, log, 'former')).rejects.toThrow(OutOfStep);
  await expect(feedAll(store, log, 'new')).rejects.toThrow(OutOfStep);
  expect(await left()).toBeGreaterThan(0);

  expect(await store.load([PARTITION], 'new')).toEqual(new Map([[PARTITION, 0]]));

  expect(await left()).toBe(0);
});

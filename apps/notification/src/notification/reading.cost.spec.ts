import { randomUUID } from 'node:crypto';
import { pagesTouched } from '@parley/testing';
import type { Pool } from 'pg';
import { BatchWalk } from '../feed/batch.walk';
import { FeedStore } from '../feed/feed.store';
import { ParkedStore } from '../parked/parked.store';
import { freshPostgres } from '../testing/postgres';
import { NotificationStore } from './notification.store';

const OWN = 8;
const KEPT = 4;
const OTHERS = 12_000;
/** The entry, its membership, and the way to each in its index. */
const PAGES_AN_ENTRY = 25;

/** Conversations of three members: alice is in the first few and has an entry of each, others have three of each. */
const fill = `
  with c as (
    insert into conversations (id, partition, type, member_count)
    select case when i <= $2 then ($1::uuid[])[i] else gen_random_uuid() end, i % 64, 'group', 3
    from generate_series(1, $3::integer) i returning id),
  m as (
    insert into members (conversation_id, user_id)
    select id, case when n = 1 and id = any($1) then $4 else gen_random_uuid() end from c, generate_series(1, 3) n
    returning conversation_id, user_id),
  p as (
    insert into parked_events (partition, position, epoch, reason, conversation_id)
    select 0, row_number() over (), 'epoch', repeat('x', 300), id from c)
  insert into notifications (user_id, created_at, id, type, conversation_id, message_id, number)
  select user_id, now(), gen_random_uuid(), 'message', conversation_id, gen_random_uuid(), number
  from m, generate_series(1, 3) number where user_id <> $4 or number = 1`;

describe.each([
  'of which nothing is known',
  'of which there are statistics',
  'whose statistics say that everybody has very much',
])('in tables %s', (which) => {
  const alice = randomUUID();
  const ids = Array.from({ length: OWN }, () => randomUUID());
  const strangers = Array.from({ length: OWN }, () => randomUUID());
  let pool: Pool;
  let lists: NotificationStore;
  let feed: FeedStore;
  let parked: ParkedStore;
  beforeAll(async () => {
    pool = await freshPostgres();
    for (const table of ['conversations', 'members', 'notifications', 'parked_events'])
      await pool.query(`alter table ${table} set (autovacuum_enabled = false)`);
    await pool.query(`update feed_positions set epoch = 'epoch', position = 1`);
    await pool.query(fill, [ids, OWN, OTHERS, alice]);
    // As samples of tables that are very large do.
    if (which.includes('very much'))
      await pool.query('alter table notifications alter column user_id set (n_distinct = 100)');
    if (which.includes('statistics')) await pool.query('analyze');
    lists = new NotificationStore(pool, KEPT);
    feed = new FeedStore(pool);
    parked = new ParkedStore(pool);
    expect(await lists.unreadCount(alice)).toBe(OWN);
  });
  afterAll(() => pool.end());

  const pairs = () => [...ids, ...strangers].map((conversationId) => ({ conversationId, userId: alice }));
  const workings: [string, () => Promise<unknown>][] = [
    ['the list', () => lists.list(alice, undefined, 100)],
    ['the count of what is unread', () => lists.unreadCount(alice)],
    ['marking some as read', () => lists.markRead(alice, strangers)],
    ['marking all up to one as read', () => lists.markReadUpTo(alice, strangers[0] as string)],
    ['cutting lists that are short', () => lists.prune(strangers)],
    ['conversations and their members', () => feed.conversations([...ids, ...strangers], 10)],
    ['who of some are members', () => feed.membersAmong(pairs())],
    ['positions', () => feed.load([1, 2, 3], 'epoch')],
    ['what is parked at a position', () => parked.at({ partition: 0, position: 7 })],
    ['what is parked first', () => parked.ofPartition(0, 10)],
    ['how much is parked', () => parked.count(10)],
  ];
  const plans = ['force_custom_plan', 'force_generic_plan'];
  const cases = plans.flatMap((plan) => workings.map(([what, work]) => [what, plan, work] as const));
  it.each(cases)('%s (%s) costs what one has, not what others have', async (_, plan, work) => {
    await pool.query(`set plan_cache_mode = ${plan}`);
    // The first time also asks for what the tables look like.
    await work();
    expect(await pagesTouched(pool, work)).toBeLessThanOrEqual(OWN * PAGES_AN_ENTRY);
  });

  it.each(plans)('what deletes conversations (%s) costs what was in them', async (plan) => {
    await pool.query(`set plan_cache_mode = ${plan}`);
    const position = (await feed.load([9], 'epoch')).get(9) ?? 0;
    const apply = async (after: number) => {
      const walk = new BatchWalk({ states: new Map(), mentionedMembers: new Set() }, 2);
      for (let i = 0; i < 3 * OWN; i++) walk.deleted.add(randomUUID());
      await feed.commit('epoch', [{ partition: 9, first: after + 1, last: after + 1 }], walk, [], []);
    };
    await apply(position);
    const pages = await pagesTouched(pool, () => apply(position + 1));
    expect(pages).toBeLessThanOrEqual(OWN * PAGES_AN_ENTRY);
  });

  it.each(plans)('what changes a list (%s) costs what is in it', async (plan) => {
    await pool.query(`set plan_cache_mode = ${plan}`);
    const bob = randomUUID();
    await pool.query(
      `insert into notifications (user_id, created_at, id, type, conversation_id, message_id, number)
       select $1, now() - i * interval '1 second', gen_random_uuid(), 'message', $2, gen_random_uuid(), i
       from generate_series(1, $3::integer) i`,
      [bob, ids[0], OWN],
    );
    await pool.query('insert into members (conversation_id, user_id) values ($1, $2)', [ids[0], bob]);
    const list = await lists.list(bob, undefined, 100);
    const newest = list.map(({ id }) => id);
    const pages = async (work: () => Promise<unknown>) => {
      const touched = await pagesTouched(pool, work);
      expect(touched).toBeLessThanOrEqual(OWN * PAGES_AN_ENTRY);
    };

    await pages(() => lists.markRead(bob, newest.slice(0, 3)));
    expect(await lists.unreadCount(bob)).toBe(OWN - 3);
    await pages(() => lists.markReadUpTo(bob, newest[5] as string));
    expect(await lists.unreadCount(bob)).toBe(2);
    await pages(() => lists.prune([bob, ...strangers]));
    expect((await lists.list(bob, undefined, 100)).map(({ id }) => id)).toEqual(newest.slice(0, KEPT));
  });
});

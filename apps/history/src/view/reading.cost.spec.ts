import { randomUUID } from 'node:crypto';
import { pagesTouched } from '@parley/testing';
import type { Pool } from 'pg';
import { freshPostgres } from '../testing/postgres';
import { PostgresViewStore } from './view.store.postgres';
import { PostgresViewFeedStore } from './view.store.postgres.feed';

const OWN = 20;
const OTHERS = 20_000;
/** Of one conversation: itself, its members, some messages, and the way to each in its index. */
const PAGES_A_CONVERSATION = 25;

/** Conversations of three members and three messages, of which something is parked. */
const fill = `
  with c as (
    insert into conversations
      (id, partition, head, message_count, shared, shared_version, shared_position, deleted)
    select case when i <= $2 then ($1::uuid[])[i] else gen_random_uuid() end, i % 64, 3, 3,
      json_build_object('topic', repeat('x', 300)), 1, 1, false
    from generate_series(1, $3::integer) i returning id),
  m as (
    insert into messages (conversation_id, number, version, created_at, id, thread_id, pinned, body)
    select id, number, number, now(), gen_random_uuid(), null, number = 2, '{"body": "Hello"}'
    from c, generate_series(1, 3) number),
  u as (
    insert into members (conversation_id, user_id, role, joined_at, version, position, removed)
    select id, case when n = 1 and id = any($1) then $4 else gen_random_uuid() end, 'member', now(), n, n, false
    from c, generate_series(1, 3) n)
  insert into parked (partition, position, conversation_id, reason, event)
  select 0, row_number() over (), id, repeat('x', 300), '{}' from c where id <> all($1)`;

/** One large channel: a large thread, a small one and some pins in it, and most of its members have no version. */
const fillChannel = `
  with c as (
    insert into conversations
      (id, partition, head, message_count, shared, shared_version, shared_position, deleted)
    values ($1, 0, $2, $2, '{}', 1, 1, false)),
  m as (
    insert into messages (conversation_id, number, version, created_at, id, thread_id, pinned, body)
    select $1, i, i, to_timestamp(i), case when i = 1 then $3 else gen_random_uuid() end,
      case when i % 2000 = 1 then $3 when i % 2 = 0 then $4 end, i % 2000 = 2,
      json_build_object('body', repeat('x', 300))
    from generate_series(1, $2::integer) i)
  insert into members (conversation_id, user_id, role, joined_at, version, position, removed)
  select $1, gen_random_uuid(), 'member', now(), case when i % 2000 = 0 then i end, i, false
  from generate_series(1, $2::integer) i`;

describe.each(['of which nothing is known', 'of which there are statistics'])('in tables %s', (which) => {
  const alice = randomUUID();
  const ids = Array.from({ length: OWN }, () => randomUUID());
  const asked = [...ids, ...Array.from({ length: 2 * OWN }, () => randomUUID())];
  const [channel, thread] = [randomUUID(), randomUUID()];
  let pool: Pool;
  let end: () => Promise<void>;
  let view: PostgresViewStore;
  let feed: PostgresViewFeedStore;
  beforeAll(async () => {
    ({ pool, end } = await freshPostgres());
    for (const table of ['conversations', 'messages', 'members', 'parked'])
      await pool.query(`alter table ${table} set (autovacuum_enabled = false)`);
    await pool.query(`insert into applied select generate_series(0, 63), 'epoch', 1`);
    await pool.query(fill, [ids, OWN, OTHERS, alice]);
    await pool.query(fillChannel, [channel, OTHERS, thread, randomUUID()]);
    if (which.includes('statistics')) await pool.query('analyze');
    view = new PostgresViewStore(pool);
    feed = new PostgresViewFeedStore(pool);
  });
  afterAll(() => end());

  const inChannel = (more: object) =>
    view.messages({ conversationId: channel, newest: true, limit: 10, ...more });
  const readings: [string, () => Promise<unknown>][] = [
    ['where one stands', () => view.standings(alice, asked)],
    ['heads', () => view.heads(asked)],
    [
      'what changed',
      () =>
        view.changes(
          asked.map((conversationId) => ({ conversationId, above: 0 })),
          100,
        ),
    ],
    ['what changed in a channel', () => view.changes([{ conversationId: channel, above: OTHERS - 10 }], 100)],
    ['members', () => view.members(asked)],
    ['the newest messages', () => inChannel({})],
    ['the oldest messages', () => inChannel({ newest: false })],
    ['a thread', () => inChannel({ threadId: thread })],
    ['a thread from its beginning', () => inChannel({ threadId: thread, newest: false })],
    ['pins', () => inChannel({ pinned: true })],
    ['one message', () => view.message(channel, thread)],
    ['the message of a moment', () => view.numberAt(channel, new Date(7_777_000).toISOString())],
    ['what is parked of a conversation', () => feed.parked(10, ids[0])],
    ['how much is parked', () => feed.countParked(10)],
    ['whether anything is to be erased', () => feed.erase()],
    ['positions', () => feed.load([1, 2, 3], 'epoch')],
  ];
  const plans = ['force_custom_plan', 'force_generic_plan'];
  const cases = plans.flatMap((plan) => readings.map(([what, read]) => [what, plan, read] as const));
  it.each(cases)('reading %s (%s) costs what one has, not what others have', async (_, plan, read) => {
    await pool.query(`set plan_cache_mode = ${plan}`);
    // The first reading also asks for what the tables look like.
    await read();
    const pages = await pagesTouched(pool, read);
    expect(pages).toBeLessThanOrEqual(OWN * PAGES_A_CONVERSATION);
  });

  it('erasing a conversation costs what it held', async () => {
    const [id] = ids;
    await pool.query('update conversations set deleted = true where id = $1', [id]);
    const pages = await pagesTouched(pool, async () => {
      while (await feed.erase()) continue;
    });
    expect(pages).toBeLessThanOrEqual(10 * PAGES_A_CONVERSATION);
    expect(await view.message(channel, thread)).toBeDefined();
    const { rows } = await pool.query('select from messages where conversation_id = $1', [id]);
    expect(rows).toEqual([]);
  });
});

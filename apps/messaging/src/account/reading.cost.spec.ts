import { randomUUID } from 'node:crypto';
import { limits } from '@parley/contracts';
import { pagesTouched } from '@parley/testing';
import { Pool } from 'pg';
import { ConversationReader } from '../conversation/conversation.reader';
import { loadDeployment } from '../log/deployment';
import { readConversations } from '../log/projection.reader';
import { openPostgresTestLog, postgresConfig, type TestLog } from '../testing/test-log';
import { MarkStore } from '../read-mark/mark.store';
import { AccountReader } from './account.reader';
import { JoinReader } from './join.reader';

const OWN = 20;
const OTHERS = 8_000;
/** Of one conversation: itself, the membership, the mark, the other of a direct one, and the way to each in its index. */
const PAGES_A_CONVERSATION = 25;
const MENTIONS = 20_000;
const CHANNELS = 6_000;
/** Of a search: a thousand titles gone through, and what few have. */
const PAGES_A_SEARCH = 1_500;

/** Alice is in a few conversations, half of them direct; others are in very many, and in many public channels. */
const fill = [
  `with c as (
    insert into conversations (id, partition, type, visibility, archived, is_deleted, created_at, version,
      message_count, member_count, last_activity_at, request_hash, title)
    select gen_random_uuid(), 0, case when i % 2 = 0 then 'direct' else 'group' end, 'private', false, false, now(), 2,
      1, 2, now() - i * interval '1 second', 'r', i::text
    from generate_series(1, $2::integer) i returning id, title::integer as i),
  m as (
    insert into memberships (user_id, conversation_id, role, joined_at, read_base)
    select case when who = 1 and i <= $3 then $1 else gen_random_uuid() end, id, 'member', now(), 0
    from c cross join generate_series(1, 3) who where who < 3 or i % 2 = 1
    returning user_id, conversation_id),
  k as (
    insert into marks (user_id, conversation_id, read_number) select user_id, conversation_id, 1 from m)
  insert into mentions (user_id, conversation_id, number) select user_id, conversation_id, 1 from m`,
  `insert into conversations (id, partition, type, visibility, archived, is_deleted, created_at, version, message_count,
    member_count, last_activity_at, request_hash, title)
   select gen_random_uuid(), 0, 'channel', 'public', archived = 1, false, now(), 1, 0, 1, now(), 'r',
     case when i % 400 = 1 then '天气' else 'Channel ' end || i
   from generate_series(1, $1::integer) i cross join generate_series(0, 1) archived order by md5(i::text)`,
];

describe.each([
  ['of which nothing is known', ''],
  ['of which there are statistics', 'analyze'],
  ['whose statements are planned once for all', 'analyze; set plan_cache_mode = force_generic_plan'],
])('in tables %s', (_name, prepare) => {
  const alice = randomUUID();
  let log: TestLog;
  let pool: Pool;
  let accounts: AccountReader;
  let joins: JoinReader;
  let ids: string[];
  let cursor: string;
  beforeAll(async () => {
    const config = await postgresConfig();
    log = await openPostgresTestLog(config);
    pool = new Pool({ connectionString: config.DATABASE_URL, options: '-c search_path=messaging', max: 1 });
    for (const table of ['conversations', 'memberships', 'marks', 'mentions'])
      await pool.query(`alter table ${table} set (autovacuum_enabled = false)`);
    accounts = new AccountReader(pool, log.store);
    cursor = await accounts.cursor();
    await pool.query(fill[0] as string, [alice, OTHERS, OWN]);
    await pool.query(fill[1] as string, [CHANNELS]);
    await pool.query(prepare);
    joins = new JoinReader(pool, log.store, accounts, await loadDeployment(pool));
    ids = await joins.memberOf(alice);
    expect(ids).toHaveLength(OWN);
  });
  afterAll(async () => {
    await pool.end();
    await log.close();
  });

  const channels = (text: string, limit: number) =>
    new ConversationReader(pool).channels(text, limit, undefined);
  const readings: [string, () => Promise<unknown>, number?][] = [
    ['the list', () => accounts.list(alice, 100, undefined)],
    ['the first pages of some', () => accounts.firstPages([alice, randomUUID()], 100)],
    ['all of a first sync', () => accounts.changes(alice, null, 100)],
    ['what changed since', () => accounts.changes(alice, cursor, 100)],
    ['what changed since now', async () => accounts.changes(alice, await accounts.cursor(), 100)],
    ['one', () => accounts.one(alice, ids[0] as string)],
    ['whether there is room', () => accounts.checkRoom([alice], randomUUID(), alice)],
    ['where one is a member', () => joins.memberOf(alice)],
    ['of which one is a member', () => joins.membership(alice, ids)],
    ['members', () => new ConversationReader(pool).members(ids[0] as string, 100, undefined)],
    ['public channels', () => channels('', 100)],
    ['public channels that many titles fit', () => channels('channel', 100), PAGES_A_SEARCH],
    ['public channels by a short text', () => channels('天', 10), PAGES_A_SEARCH],
    ['public channels by what one title has', () => channels('nel 5999', 100), PAGES_A_SEARCH],
    ['public channels by what no title has', () => channels('harbour', 100), PAGES_A_SEARCH],
    ['what an owner knows', () => readConversations(pool, ids)],
  ];
  it.each(readings)(
    'reading %s costs what one has, not what others have',
    async (_, read, most = OWN * PAGES_A_CONVERSATION) => {
      // The first reading also asks for what the tables look like.
      await read();
      const pages = await pagesTouched(pool, read);
      expect(pages).toBeLessThanOrEqual(most);
    },
  );

  it('finds every listed channel whose title contains the text, whatever its case, once over all pages', async () => {
    const found = async (text: string) => {
      const reader = new ConversationReader(pool);
      const titles: (string | null)[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await reader.channels(text, 40, cursor);
        titles.push(...page.items.map(({ title }) => title));
        if (page.nextCursor === null) return titles;
        cursor = page.nextCursor;
      }
    };
    expect(await found('气4')).toHaveLength(4);
    expect(await found('天气1')).toEqual(expect.arrayContaining(['天气1', '天气1201', '天气1601']));
    expect(await found('NEL 199')).toHaveLength(11);
    expect(await found('harbour')).toEqual([]);
  });

  it('a list costs the same however often its reader was mentioned, and a mark forgets those mentions', async () => {
    const mentioned =
      'select count(*)::integer as n from mentions where user_id = $1 and conversation_id = $2';
    const count = async () => (await pool.query<{ n: number }>(mentioned, [alice, ids[0]])).rows[0]?.n;
    await pool.query('insert into mentions select $1, $2, generate_series(2, $3::integer)', [
      alice,
      ids[0],
      MENTIONS,
    ]);
    const read = () => accounts.list(alice, 100, undefined);
    const mine = (await read()).items.find(({ id }) => id === ids[0]);
    expect(mine?.unreadMentions).toBe(limits.unreadMentionsMax);
    expect(await pagesTouched(pool, read)).toBeLessThanOrEqual(OWN * PAGES_A_CONVERSATION);
    await new MarkStore(pool).advance([
      { userId: alice, conversationId: ids[0] as string, readNumber: MENTIONS - 1 },
    ]);
    expect(await count()).toBe(1);
  });

  it('of a large channel the last page of members costs what the first does', async () => {
    const [channel] = ids as [string];
    await pool.query(
      `insert into memberships (user_id, conversation_id, role, joined_at, read_base)
       select gen_random_uuid(), $1, 'member', now(), 0 from generate_series(1, 5000)`,
      [channel],
    );
    const reader = new ConversationReader(pool);
    const { rows } = await pool.query<{ user_id: string }>(
      'select user_id from memberships where conversation_id = $1 order by user_id desc offset 100 limit 1',
      [channel],
    );
    const cursor = Buffer.from(rows[0]?.user_id ?? '').toString('base64url');
    const last = async () => expect((await reader.members(channel, 100, cursor)).items).toHaveLength(100);
    expect(await pagesTouched(pool, last)).toBeLessThanOrEqual(220);
  });
});

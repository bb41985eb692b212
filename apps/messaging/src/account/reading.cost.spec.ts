import { randomUUID } from 'node:crypto';
import { pagesTouched } from '@parley/testing';
import { Pool } from 'pg';
import { ConversationReader } from '../conversation/conversation.reader';
import { loadDeployment } from '../log/deployment';
import { readConversations } from '../log/projection.reader';
import { openPostgresTestLog, postgresConfig, type TestLog } from '../testing/test-log';
import { AccountReader } from './account.reader';
import { JoinReader } from './join.reader';

const OWN = 20;
const OTHERS = 20_000;
/** Of one conversation: itself, the membership, the mark, the other of a direct one, and the way to each in its index. */
const PAGES_A_CONVERSATION = 25;

/** Alice is in a few conversations, half of them direct; others are in very many. */
const fill = `
  with c as (
    insert into conversations (id, partition, type, visibility, archived, is_deleted, created_at, version,
      message_count, member_count, last_activity_at, request_hash, title)
    select gen_random_uuid(), 0, case when i % 2 = 0 then 'direct' else 'group' end, 'private', false, false, now(), 2,
      1, 2, now() - i * interval '1 second', 'r', i::text
    from generate_series(1, $2) i returning id, title::integer as i),
  m as (
    insert into memberships (user_id, conversation_id, role, joined_at, read_base)
    select case when who = 1 and i <= $3 then $1 else gen_random_uuid() end, id, 'member', now(), 0
    from c cross join generate_series(1, 3) who where who < 3 or i % 2 = 1
    returning user_id, conversation_id),
  k as (
    insert into marks (user_id, conversation_id, read_number) select user_id, conversation_id, 1 from m)
  insert into mentions (user_id, conversation_id, number) select user_id, conversation_id, 1 from m`;

describe.each(['of which nothing is known', 'of which there are statistics'])('in tables %s', (which) => {
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
    await pool.query(fill, [alice, OTHERS, OWN]);
    if (which.includes('statistics')) await pool.query('analyze');
    joins = new JoinReader(pool, log.store, accounts, await loadDeployment(pool));
    ids = await joins.memberOf(alice);
    expect(ids).toHaveLength(OWN);
  });
  afterAll(async () => {
    await pool.end();
    await log.close();
  });

  const readings: [string, () => Promise<unknown>][] = [
    ['the list', () => accounts.list(alice, 100, undefined)],
    ['the first pages of some', () => accounts.firstPages([alice, randomUUID()], 100)],
    ['all of a first sync', () => accounts.changes(alice, null, 100)],
    ['what changed since', () => accounts.changes(alice, cursor, 100)],
    ['what changed since now', async () => accounts.changes(alice, await accounts.cursor(), 100)],
    ['one', () => accounts.one(alice, ids[0] as string)],
    ['whether there is room', () => accounts.checkRoom([alice])],
    ['where one is a member', () => joins.memberOf(alice)],
    ['of which one is a member', () => joins.membership(alice, ids)],
    ['members', () => new ConversationReader(pool).members(ids[0] as string, 100, undefined)],
    ['public channels', () => new ConversationReader(pool).channels('', 100, undefined)],
    ['what an owner knows', () => readConversations(pool, ids)],
  ];
  it.each(readings)('reading %s costs what one has, not what others have', async (_, read) => {
    // The first reading also asks for what the tables look like.
    await read();
    const pages = await pagesTouched(pool, read);
    expect(pages).toBeLessThanOrEqual(OWN * PAGES_A_CONVERSATION);
  });
});

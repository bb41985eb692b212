import { pagesTouched } from '@parley/testing';
import { Pool } from 'pg';
import { v7 } from 'uuid';
import { toHead } from '../conversation/conversation.state';
import { Writer } from '../testing/log-writer';
import { openPostgresTestLog, postgresConfig, type TestLog } from '../testing/test-log';
import { ProjectionStore } from './projection.store';

const MEMBERS = 5000;
const PAGE = 100;

describe.each(['of which nothing is known', 'of which there are statistics'])('in tables %s', (which) => {
  const [channel, deleted] = [new Writer(1), new Writer(2)];
  let log: TestLog;
  let pool: Pool;
  let projection: ProjectionStore;
  beforeAll(async () => {
    const config = await postgresConfig();
    log = await openPostgresTestLog(config);
    pool = new Pool({ connectionString: config.DATABASE_URL, options: '-c search_path=messaging', max: 1 });
    await pool.query('alter table memberships set (autovacuum_enabled = false)');
    await log.store.append([channel.created(), channel.sent('a'), deleted.created()]);
    await pool.query(
      `insert into memberships (user_id, conversation_id, role, joined_at, read_base)
       select gen_random_uuid(), id, 'member', now(), 0
       from generate_series(3, $2), unnest($1::uuid[]) as of (id)`,
      [[channel.state.id, deleted.state.id, v7()], MEMBERS],
    );
    // Its memberships are not ended yet, and count no longer.
    await log.store.append([deleted.deleted()]);
    if (which.includes('statistics')) await pool.query('analyze');
    projection = new ProjectionStore(pool);
  });
  afterAll(async () => {
    await pool.end();
    await log.close();
  });

  it('reads heads without looking at who is a member', async () => {
    const writers = [channel, deleted];
    const ids = writers.map(({ state }) => state.id);
    const heads = await projection.heads(ids);
    expect(heads).toEqual(new Map(writers.map(({ state }) => [state.id, toHead(state)])));
    expect(await pagesTouched(pool, () => projection.heads(ids))).toBeLessThanOrEqual(20);
  });

  it('reads a page of members at the cost of a page', async () => {
    const { id } = channel.state;
    const first = (await projection.members([id], MEMBERS)).get(id)!;
    const after = first[MEMBERS / 2]![0];
    const read = () => projection.members([id], PAGE, after);
    // As often as a connection needs to settle on a plan.
    for (let i = 0; i < 6; i++) {
      expect((await read()).get(id)).toEqual(first.slice(MEMBERS / 2 + 1, MEMBERS / 2 + 1 + PAGE));
    }
    // Each on a page of its own, in the worst case.
    expect(await pagesTouched(pool, read)).toBeLessThanOrEqual(PAGE + 20);
  });
});

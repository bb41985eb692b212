import { metricsRegistry, pgPool } from '@parley/service';
import { until } from '@parley/testing';
import type { Pool } from 'pg';
import { AccountReader } from '../account/account.reader';
import { JoinReader } from '../account/join.reader';
import { loadDeployment } from '../log/deployment';
import { Writer } from '../testing/log-writer';
import { openPostgresTestLog, postgresConfig, type TestLog } from '../testing/test-log';
import { MembershipEnder } from './membership.ender';

const MEMBERS = 2500;

describe('the memberships of a deleted conversation', () => {
  let log: TestLog;
  let pool: Pool;
  let writer: Writer;
  let channel: string;
  beforeEach(async () => {
    log = await openPostgresTestLog(await postgresConfig());
    pool = pgPool(log.source);
    writer = new Writer(1);
    channel = writer.state.id;
    await log.store.append([writer.created()]);
    await pool.query(
      `insert into memberships (user_id, conversation_id, role, joined_at, read_base)
       select gen_random_uuid(), $1, 'member', now(), 0 from generate_series(3, ${MEMBERS})`,
      [channel],
    );
  });
  afterEach(() => log.close());

  async function deleteIt(): Promise<void> {
    await log.store.append([writer.deleted()]);
  }

  async function left(): Promise<number> {
    const { rows } = await pool.query<{ left: number }>(
      'select count(*)::integer as left from memberships where conversation_id = $1 and role is not null',
      [channel],
    );
    return rows[0]!.left;
  }

  function ender(onWarning?: (details: object) => void): MembershipEnder {
    return new MembershipEnder(pool, (details, message) => {
      if (!onWarning) throw new Error(message, { cause: details });
      onWarning(details);
    });
  }

  async function counted(name: string): Promise<number> {
    return (await metricsRegistry.getSingleMetric(name)!.get()).values[0]!.value;
  }

  it('count no longer from its deletion on, before any is ended', async () => {
    const accounts = new AccountReader(pool, log.store);
    const joins = new JoinReader(pool, log.store, accounts, await loadDeployment(pool));
    expect(await joins.memberOf(writer.alice)).toEqual([channel]);
    await deleteIt();
    expect(await left()).toBe(MEMBERS);
    expect(await joins.memberOf(writer.alice)).toEqual([]);
    expect(await joins.membership(writer.alice, [channel])).toEqual([]);
    expect((await joins.join(writer.alice)).conversations).toEqual([]);
    expect((await accounts.list(writer.alice, 10, undefined)).items).toEqual([]);
    expect(await accounts.one(writer.alice, channel)).toBeUndefined();
    expect((await accounts.changes(writer.alice, null, 10)).changes).toEqual([]);
    expect((await log.store.conversations([channel])).get(channel)).toMatchObject({ members: new Map() });
  });

  it('are all ended, some at a time, by two instances at once', async () => {
    await deleteIt();
    const both = [ender(), ender()];
    for (const one of both) one.end();
    await until('all are ended', async () => (await left()) === 0);
    await Promise.all(both.map((one) => one.stop()));
    const { rows } = await pool.query('select id from conversations where not memberships_ended');
    expect(rows).toEqual([]);
  });

  it('are ended by the next one where an instance stopped amid it', async () => {
    await deleteIt();
    const before = await counted('parley_memberships_ended_total');
    const first = ender();
    first.end();
    await until('some are ended', async () => (await left()) < MEMBERS);
    await first.stop();
    const next = ender();
    next.start();
    await until('all are ended', async () => (await left()) === 0);
    await next.stop();
    expect(await counted('parley_memberships_ended_total')).toBe(before + MEMBERS);
  });

  it('stay those of who joins another conversation meanwhile', async () => {
    const other = new Writer(2);
    await log.store.append([other.created()]);
    await deleteIt();
    const only = ender();
    only.end();
    await until('all are ended', async () => (await left()) === 0);
    await only.stop();
    const { rows } = await pool.query(
      'select user_id from memberships where conversation_id = $1 and role is not null',
      [other.state.id],
    );
    expect(rows).toHaveLength(2);
  });

  it('are tried again by the next call where the database was away', async () => {
    await deleteIt();
    const told: unknown[] = [];
    const before = await counted('parley_memberships_ending_failures_total');
    await pool.query('alter table memberships rename to hidden');
    const one = ender((error) => told.push(error));
    one.end();
    await until('it says so', () => told.length > 0);
    expect(await counted('parley_memberships_ending_failures_total')).toBe(before + 1);
    await pool.query('alter table hidden rename to memberships');
    one.end();
    await until('all are ended', async () => (await left()) === 0);
    await one.stop();
  });
});

import { partitionOf } from '@parley/contracts';
import { Pool } from 'pg';
import { v7 } from 'uuid';
import type { ConversationState } from '../conversation/conversation.state';
import { toHead } from '../conversation/conversation.state';
import { Writer } from '../testing/log-writer';
import { apart, bob, outcomeOf, ownerWorld } from '../testing/owner.world';
import { MemoryLog } from '../testing/simulation/simulated.store';
import { openPostgresTestLog, postgresConfig, type TestLog } from '../testing/test-log';
import { Loader, MEMBERS_A_STATEMENT } from './loader';
import { MEMBERS_WITH_CONVERSATION } from './log.store';

const EVERYBODY = 100_000;

/** Bob is in each; the others joined one after the other. */
const fill = `
  with c as (
    insert into conversations (id, partition, type, visibility, archived, is_deleted, created_at, version,
      message_count, member_count, last_activity_at, request_hash, title)
    select id, partition, 'channel', 'public', false, false, now(), 1, 0, member_count, now(), 'r', ''
    from unnest($1::uuid[], $2::smallint[], $3::integer[]) as given (id, partition, member_count)
    returning id, member_count)
  insert into memberships (user_id, conversation_id, role, joined_at, read_base)
  select case when i = 1 then $4 else gen_random_uuid() end, id, 'member',
    timestamptz '2026-01-31T09:30:00Z' + i * interval '1 ms', 0
  from c cross join lateral generate_series(1, member_count) i`;

describe('an owner of channels with as many members as there can be', () => {
  const ids = apart(6);
  const sizes = [EVERYBODY, EVERYBODY, EVERYBODY, MEMBERS_A_STATEMENT, MEMBERS_WITH_CONVERSATION + 1, 2];
  let log: TestLog;
  beforeAll(async () => {
    const config = await postgresConfig();
    // Nobody waits for this as for an answer.
    const pool = new Pool({ connectionString: config.DATABASE_URL, options: '-c search_path=messaging' });
    for (const [i, id] of ids.entries()) await pool.query(fill, [[id], [partitionOf(id)], [sizes[i]], bob]);
    await pool.end();
    log = await openPostgresTestLog(config);
  }, 120_000);
  afterAll(() => log.close());

  it('answers all of them in statements that have time enough, and does not hold up the others', async () => {
    const { owner, send, unread } = await ownerWorld(log.store, []);
    await owner.open(new Map(ids.map((id) => [partitionOf(id), 1])));
    const answered: string[] = [];
    await Promise.all(ids.map((id) => send(id, 'a').then(() => answered.push(id))));
    expect(new Set(answered.slice(0, 3))).toEqual(new Set(ids.slice(3)));
    expect(answered).toHaveLength(ids.length);
    expect(unread).toEqual([]);
  });

  it('knows every one of them', async () => {
    const loader = new Loader(log.store);
    const states = await Promise.all(ids.map((id) => loader.conversation(id)));
    expect(states.map((state) => state?.members.size)).toEqual(sizes);
    const ofBob = { role: 'member', joinedAt: '2026-01-31T09:30:00.001Z' };
    expect(states.map((state) => state?.members.get(bob))).toEqual(sizes.map(() => ofBob));
  });
});

/** A log that gives conversations without their members, and those of `unreadable` not at all. */
class LogOfHeads extends MemoryLog {
  readonly unreadable = new Set<string>();
  /** What a conversation is said to have. */
  readonly counts = new Map<string, number>();
  readonly asked: string[][] = [];

  override async conversations(ids: string[]): ReturnType<MemoryLog['conversations']> {
    const states = (await super.conversations(ids)) as Map<string, ConversationState>;
    return new Map(
      [...states].map(([id, state]) => {
        const head = toHead(state);
        return [id, { ...head, memberCount: this.counts.get(id) ?? head.memberCount }];
      }),
    );
  }

  override async members(ids: string[], limit: number, after?: string) {
    this.asked.push(ids);
    if (ids.some((id) => this.unreadable.has(id)))
      throw new Error('canceling statement due to statement timeout');
    return super.members(ids, limit, after);
  }
}

describe('what is loaded together', () => {
  async function world(counts: number[]) {
    const store = new LogOfHeads();
    const writers = counts.map((_, i) => new Writer(i));
    await store.append(writers.map((writer) => writer.created()));
    for (const [i, { state }] of writers.entries()) store.counts.set(state.id, counts[i]!);
    return { store, loader: new Loader(store), ids: writers.map(({ state }) => state.id), writers };
  }

  it('is read by so many members at a time, and by so many of one conversation alone', async () => {
    const most = MEMBERS_A_STATEMENT;
    const { store, loader, ids, writers } = await world([most - 1, 1, 2, most + 1, most - 2]);
    const states = await Promise.all(ids.map((id) => loader.conversation(id)));
    expect(states).toEqual(writers.map(({ state }) => state));
    const [a, b, c, large, d] = ids as [string, string, string, string, string];
    expect(store.asked).toHaveLength(3);
    for (const group of [[a, b], [c, d], [large]]) expect(store.asked).toContainEqual(group);
  });

  it('fails by itself', async () => {
    const most = MEMBERS_A_STATEMENT;
    const { store, loader, ids, writers } = await world([most + 1, 2, most, most + 1]);
    store.unreadable.add(ids[0]!).add(ids[2]!);
    const load = () => Promise.all([...ids, v7()].map((id) => outcomeOf(loader.conversation(id))));
    const failed = expect.any(Error) as unknown;
    expect(await load()).toEqual([failed, writers[1]!.state, failed, writers[3]!.state, undefined]);
    store.unreadable.clear();
    expect(await load()).toEqual([...writers.map(({ state }) => state), undefined]);
  });
});

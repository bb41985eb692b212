import type { ConversationType } from '@parley/contracts';
import type { Pool, PoolClient } from 'pg';
import type { Entry } from '../notification/entry';
import type { BatchWalk } from './batch.walk';
import type { ConversationState } from './conversation.cache';
import { pairKey } from './batch.walk';
import { storeEntriesSql, storePositionsSql } from './feed.sql';

/** The part of a partition that a batch covers. */
export interface Span {
  partition: number;
  first: number;
  last: number;
}

export interface ParkedEvent {
  partition: number;
  position: number;
  reason: string;
}

/** The stored positions are not those that this batch follows: another instance fed these partitions meanwhile. */
export class OutOfStep extends Error {
  constructor(readonly positions: ReadonlyMap<number, number>) {
    super('The stored positions are not those that this batch follows.');
  }
}

/** What the feed reads and writes. Rejects with pg's errors; whatever rejected has stored nothing, or all of it. */
export class FeedStore {
  constructor(private readonly pool: Pool) {}

  /** Applied positions. What stands under another epoch is dropped; the users' entries stay. */
  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    return this.transaction(async (client) => {
      const { rows } = await client.query<{ partition: number; epoch: string; position: string }>(
        'select partition, epoch, position from feed_positions where partition = any($1) order by 1 for update',
        [partitions],
      );
      const stale = rows.filter((row) => row.epoch !== epoch).map((row) => row.partition);
      if (stale.length > 0) await this.reset(client, stale, epoch);
      return new Map(
        rows.map((row) => [row.partition, stale.includes(row.partition) ? 0 : Number(row.position)]),
      );
    });
  }

  async conversations(ids: string[], membersHeldMax: number): Promise<Map<string, ConversationState>> {
    const { rows } = await this.pool.query<{
      id: string;
      type: ConversationType;
      member_count: number;
      members: string[] | null;
    }>({
      name: 'conversations',
      text: `select c.id, c.type, c.member_count,
               case when c.type <> 'channel' and c.member_count <= $2 then
                 array(select m.user_id::text from members m where m.conversation_id = c.id) end as members
             from conversations c where c.id = any($1::uuid[])`,
      values: [ids, membersHeldMax],
    });
    return new Map(
      rows.map(({ id, type, member_count: memberCount, members }) => [
        id,
        { type, memberCount, members: members && new Set(members) },
      ]),
    );
  }

  /** Which of these (conversation, user) are members, as `pairKey`s. */
  async membersAmong(pairs: { conversationId: string; userId: string }[]): Promise<Set<string>> {
    const { rows } = await this.pool.query<{ conversation_id: string; user_id: string }>({
      name: 'members-among',
      text: `select conversation_id, user_id from members
             join unnest($1::uuid[], $2::uuid[]) as p (conversation_id, user_id) using (conversation_id, user_id)`,
      values: [pairs.map((pair) => pair.conversationId), pairs.map((pair) => pair.userId)],
    });
    return new Set(rows.map((row) => pairKey(row.conversation_id, row.user_id)));
  }

  /**
   * Stores entries and positions, and what the walk changed, in one transaction. Entries that are there already stay as
   * they are. Returns the ids of the new ones.
   *
   * @throws OutOfStep when another instance has stored these rows, or rows before them are missing
   */
  async commit(
    epoch: string,
    spans: Span[],
    walk: BatchWalk,
    entries: Entry[],
    parked: ParkedEvent[],
  ): Promise<Set<string>> {
    if (!walk.changesMemberships && parked.length === 0) {
      const { moved, inserted } = await this.store(this.pool, epoch, spans, entries);
      if (moved < spans.length) await this.checkStep(this.pool, epoch, spans, 'after');
      return inserted;
    }
    return this.transaction(async (client) => {
      await this.checkStep(client, epoch, spans, 'before');
      await this.storeMemberships(client, walk);
      if (parked.length > 0) {
        await client.query(
          `insert into parked_events (partition, position, reason, epoch)
           select p.*, $4 from unnest($1::smallint[], $2::bigint[], $3::text[]) as p on conflict do nothing`,
          [...columns(parked, 'partition', 'position', 'reason'), epoch],
        );
      }
      return (await this.store(client, epoch, spans, entries)).inserted;
    });
  }

  /** One statement: entries and positions come together or not at all. */
  private async store(client: Pool | PoolClient, epoch: string, spans: Span[], entries: Entry[]) {
    const positions = [...columns(spans, 'partition', 'first', 'last'), epoch];
    if (entries.length === 0) {
      const { rowCount } = await client.query({
        name: 'store-positions',
        text: storePositionsSql,
        values: positions,
      });
      return { moved: rowCount ?? 0, inserted: new Set<string>() };
    }
    const values = columns(
      entries,
      'userId',
      'id',
      'type',
      'conversationId',
      'messageId',
      'number',
      'senderId',
      'createdAt',
    );
    const { rows } = await client.query<{ moved: string; inserted: string[] }>({
      name: 'store-entries',
      text: storeEntriesSql,
      values: [...positions, ...values],
    });
    return { moved: Number(rows[0]?.moved ?? 0), inserted: new Set(rows[0]?.inserted ?? []) };
  }

  /** @param when whether the batch's own positions are stored already */
  private async checkStep(client: Pool | PoolClient, epoch: string, spans: Span[], when: 'before' | 'after') {
    const { rows } = await client.query<{ partition: number; epoch: string; position: string }>(
      `select partition, epoch, position from feed_positions where partition = any($1) order by 1
       ${when === 'before' ? 'for update' : ''}`,
      [spans.map((span) => span.partition)],
    );
    const stored = new Map(
      rows.map((row) => [row.partition, row.epoch === epoch ? Number(row.position) : -1]),
    );
    const inStep = spans.every(({ partition, first, last }) =>
      when === 'before' ? stored.get(partition) === first - 1 : (stored.get(partition) ?? -1) >= last,
    );
    if (!inStep) throw new OutOfStep(stored);
  }

  private async storeMemberships(client: PoolClient, walk: BatchWalk): Promise<void> {
    const deleted = [...walk.deleted];
    if (deleted.length > 0) {
      await client.query('delete from members where conversation_id = any($1::uuid[])', [deleted]);
      await client.query('delete from conversations where id = any($1::uuid[])', [deleted]);
    }
    await client.query(
      `insert into conversations (id, partition, type, member_count)
       select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[])
       on conflict (id) do update set member_count = excluded.member_count`,
      columns([...walk.conversations.values()], 'id', 'partition', 'type', 'memberCount'),
    );
    const changes = [...walk.memberships].flatMap(([conversationId, users]) =>
      [...users].map(([userId, isMember]) => ({ conversationId, userId, isMember })),
    );
    await client.query(
      `delete from members m using unnest($1::uuid[], $2::uuid[]) as gone (conversation_id, user_id)
       where m.conversation_id = gone.conversation_id and m.user_id = gone.user_id`,
      columns(
        changes.filter((change) => !change.isMember),
        'conversationId',
        'userId',
      ),
    );
    await client.query(
      `insert into members (conversation_id, user_id) select * from unnest($1::uuid[], $2::uuid[])
       on conflict do nothing`,
      columns(
        changes.filter((change) => change.isMember),
        'conversationId',
        'userId',
      ),
    );
  }

  private async reset(client: PoolClient, partitions: number[], epoch: string): Promise<void> {
    await client.query(
      `delete from members using conversations c where conversation_id = c.id and c.partition = any($1)`,
      [partitions],
    );
    await client.query('delete from conversations where partition = any($1)', [partitions]);
    await client.query('update feed_positions set epoch = $2, position = 0 where partition = any($1)', [
      partitions,
      epoch,
    ]);
  }

  private async transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch((failure: Error) => (broken = failure));
      throw error;
    } finally {
      // A connection that cannot even roll back is of no more use to anybody.
      client.release(broken);
    }
  }
}

/** One array for each column, as `unnest` takes them. */
function columns<T>(rows: T[], ...names: (keyof T)[]): unknown[][] {
  return names.map((name) => rows.map((row) => row[name]));
}

import type { ConversationType } from '@parley/contracts';
import { dropFormerEpoch, type FedTables } from '@parley/service';
import type { Pool, PoolClient } from 'pg';
import type { Entry } from '../notification/entry';
import { columns, transaction } from '../transaction';
import { type BatchWalk, pairKey } from './batch.walk';
import type { ConversationState } from './conversation.cache';
import { entryColumns, storeEntriesSql, storePositionsSql } from './feed.sql';
import { storeMemberships } from './membership.writes';

const tables: FedTables = {
  positions: 'feed_positions',
  parked: 'parked_events',
  contents: [['members', 'user_id']],
};

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
  /** Null where the row is so broken that it does not say. */
  kind: string | null;
  conversationId: string | null;
}

interface PositionRow {
  partition: number;
  epoch: string;
  position: string;
  revision: string;
}

/**
 * The stored positions are not those that this batch follows: another instance fed these partitions meanwhile. Or they
 * are, and an operator replayed what was parked: then the memberships that the batch was decided by are old.
 */
export class OutOfStep extends Error {
  constructor(readonly positions: ReadonlyMap<number, number>) {
    super('The stored positions are not those that this batch follows.');
  }
}

/** What the feed reads and writes. Rejects with pg's errors; whatever rejected has stored nothing, or all of it. */
export class FeedStore {
  /** By partition: what the memberships that this instance remembers rest on. */
  private readonly revisions = new Map<number, string>();

  constructor(private readonly pool: Pool) {}

  /** Applied positions. What stands under another epoch is dropped, parked events too; the users' entries stay. */
  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    for (const row of await this.readPositions(this.pool, partitions, ''))
      if (row.epoch !== epoch) await dropFormerEpoch(this.pool, tables, row.partition, epoch);
    // Waits for what another instance is storing at the moment.
    const rows = await this.readPositions(this.pool, partitions, 'for update');
    this.learnRevisions(rows);
    return new Map(rows.map((row) => [row.partition, row.epoch === epoch ? Number(row.position) : 0]));
  }

  /** The applied positions of those of the partitions that are of this epoch; what is remembered of their memberships is old. */
  async positions(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const rows = await this.readPositions(this.pool, partitions, '');
    const ofEpoch = rows.filter((row) => row.epoch === epoch);
    this.learnRevisions(ofEpoch);
    return new Map(ofEpoch.map(({ partition, position }) => [partition, Number(position)]));
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
    return transaction(this.pool, async (client) => {
      await this.checkStep(client, epoch, spans, 'before');
      await storeMemberships(client, walk);
      if (parked.length > 0) {
        await client.query(
          `insert into parked_events (partition, position, reason, kind, conversation_id, epoch)
           select p.*, $6 from unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) as p
           on conflict do nothing`,
          [...columns(parked, 'partition', 'position', 'reason', 'kind', 'conversationId'), epoch],
        );
      }
      return (await this.store(client, epoch, spans, entries)).inserted;
    });
  }

  /** One statement: entries and positions come together or not at all, of all spans. */
  private async store(client: Pool | PoolClient, epoch: string, spans: Span[], entries: Entry[]) {
    const revisions = spans.map(({ partition }) => this.revisions.get(partition) ?? '0');
    const positions = [...columns(spans, 'partition', 'first', 'last'), revisions, epoch];
    if (entries.length === 0) {
      const { rowCount } = await client.query({
        name: 'store-positions',
        text: storePositionsSql,
        values: positions,
      });
      return { moved: rowCount ?? 0, inserted: new Set<string>() };
    }
    const { rows } = await client.query<{ moved: string; inserted: string[] }>({
      name: 'store-entries',
      text: storeEntriesSql,
      values: [...positions, ...entryColumns(entries)],
    });
    return { moved: Number(rows[0]?.moved ?? 0), inserted: new Set(rows[0]?.inserted ?? []) };
  }

  /** @param when whether the batch's own positions are stored already */
  private async checkStep(client: Pool | PoolClient, epoch: string, spans: Span[], when: 'before' | 'after') {
    const rows = await this.readPositions(
      client,
      spans.map(({ partition }) => partition),
      when === 'before' ? 'for update' : '',
    );
    const stored = new Map(
      rows.map((row) => [row.partition, row.epoch === epoch ? Number(row.position) : -1]),
    );
    const inStep = spans.every(({ partition, first, last }) =>
      when === 'before' ? stored.get(partition) === first - 1 : (stored.get(partition) ?? -1) >= last,
    );
    const isCurrent = rows.every((row) => row.revision === this.revisions.get(row.partition));
    if (inStep && (isCurrent || when === 'after')) return;
    this.learnRevisions(rows);
    throw new OutOfStep(stored);
  }

  private learnRevisions(rows: PositionRow[]): void {
    for (const { partition, revision } of rows) this.revisions.set(partition, revision);
  }

  private async readPositions(client: Pool | PoolClient, partitions: number[], lock: 'for update' | '') {
    const { rows } = await client.query<PositionRow>(
      `select partition, epoch, position, revision from feed_positions where partition = any($1) order by 1 ${lock}`,
      [partitions],
    );
    return rows;
  }
}

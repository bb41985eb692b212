import type { Pool } from 'pg';
import type { BatchWalk } from '../feed/batch.walk';
import { entryColumns, insertEntriesSql } from '../feed/feed.sql';
import type { ParkedEvent } from '../feed/feed.store';
import { storeMemberships } from '../feed/membership.writes';
import type { Entry } from '../notification/entry';
import { transaction } from '../transaction';

/** Where an event stands in the log; operators write it `PARTITION/POSITION`. */
export interface Place {
  partition: number;
  position: number;
}

/** An event as it waits for an operator. */
export interface Parked extends ParkedEvent {
  epoch: string;
  parkedAt: Date;
  /** Replays that failed; `reason` is that of the last one, at `triedAt`. */
  attempts: number;
  triedAt: Date | null;
}

export interface Totals {
  parked: number;
  kinds: Record<string, number>;
  /** When the oldest of them was parked. */
  since: Date | null;
}

interface Row {
  partition: number;
  position: string;
  epoch: string;
  reason: string;
  kind: string | null;
  conversation_id: string | null;
  parked_at: Date;
  attempts: number;
  tried_at: Date | null;
}

const columnsSql = 'partition, position, epoch, reason, kind, conversation_id, parked_at, attempts, tried_at';

/** Parked events, for operators. Rejects with pg's errors. */
export class ParkedStore {
  constructor(private readonly pool: Pool) {}

  async totals(): Promise<Totals> {
    const { rows } = await this.pool.query<{ kind: string; count: string; since: Date }>(
      `select coalesce(kind, 'unknown') as kind, count(*), min(parked_at) as since
       from parked_events group by 1 order by 1`,
    );
    const times = rows.map(({ since }) => since.getTime());
    return {
      parked: rows.reduce((sum, { count }) => sum + Number(count), 0),
      kinds: Object.fromEntries(rows.map(({ kind, count }) => [kind, Number(count)])),
      since: times.length > 0 ? new Date(Math.min(...times)) : null,
    };
  }

  /** How many there are; `max` where there are more. */
  async count(max: number): Promise<number> {
    const { rows } = await this.pool.query<{ n: number }>(
      'select count(*)::integer as n from (select from parked_events limit $1) as counted',
      [max],
    );
    return rows[0]?.n ?? 0;
  }

  /** The oldest first. */
  list(limit: number): Promise<Parked[]> {
    return this.select('order by parked_at, partition, position limit $1', [limit]);
  }

  /** Partitions with parked events. */
  async partitions(): Promise<number[]> {
    const { rows } = await this.pool.query<{ partition: number }>(
      'select distinct partition from parked_events order by 1',
    );
    return rows.map(({ partition }) => partition);
  }

  /** In the order of the log. */
  ofPartition(partition: number, limit: number): Promise<Parked[]> {
    return this.select('where partition = $1 order by position limit $2', [partition, limit]);
  }

  at({ partition, position }: Place): Promise<Parked[]> {
    return this.select('where partition = $1 and position = $2', [partition, position]);
  }

  /** How far the feed has come. */
  async position(partition: number): Promise<number> {
    const { rows } = await this.pool.query<{ position: string }>(
      'select position from feed_positions where partition = $1',
      [partition],
    );
    return Number(rows[0]?.position ?? 0);
  }

  /** It stays, for another reason. */
  async failed({ partition, position, epoch }: Parked, reason: string): Promise<void> {
    await this.pool.query(
      `update parked_events set reason = $4, attempts = attempts + 1, tried_at = now()
       where partition = $1 and position = $2 and epoch = $3`,
      [partition, position, epoch, reason],
    );
  }

  /** Forgets the event without applying it. Returns what was forgotten. */
  async discard({ partition, position }: Place): Promise<Parked[]> {
    const { rows } = await this.pool.query<Row>(
      `delete from parked_events where partition = $1 and position = $2 returning ${columnsSql}`,
      [partition, position],
    );
    return rows.map(toParked);
  }

  /**
   * Stores what the walk says and its entries, and forgets that the event was parked, in one transaction. Entries that are
   * there stay as they are. Instances that feed the partition are made to read its memberships anew.
   *
   * @param applied the position up to which the walk took the log
   * @returns the ids of the new entries; undefined when the feed stands elsewhere by now, and nothing was stored
   */
  async settle(
    { partition, position, epoch }: Parked,
    applied: number,
    walk: BatchWalk,
    entries: Entry[],
  ): Promise<Set<string> | undefined> {
    return transaction(this.pool, async (client) => {
      if (walk.changesMemberships) {
        const { rows } = await client.query<{ epoch: string; position: string }>(
          'select epoch, position from feed_positions where partition = $1 for update',
          [partition],
        );
        const stored = rows[0];
        if (stored?.epoch !== epoch || Number(stored.position) !== applied) return undefined;
        await storeMemberships(client, walk);
        await client.query('update feed_positions set revision = revision + 1 where partition = $1', [
          partition,
        ]);
      }
      const inserted = await client.query<{ id: string }>(insertEntriesSql(1), entryColumns(entries));
      await client.query('delete from parked_events where partition = $1 and position = $2 and epoch = $3', [
        partition,
        position,
        epoch,
      ]);
      return new Set(inserted.rows.map(({ id }) => id));
    });
  }

  private async select(rest: string, values: unknown[]): Promise<Parked[]> {
    const { rows } = await this.pool.query<Row>(`select ${columnsSql} from parked_events ${rest}`, values);
    return rows.map(toParked);
  }
}

function toParked(row: Row): Parked {
  return {
    partition: row.partition,
    position: Number(row.position),
    epoch: row.epoch,
    reason: row.reason,
    kind: row.kind,
    conversationId: row.conversation_id,
    parkedAt: row.parked_at,
    attempts: row.attempts,
    triedAt: row.tried_at,
  };
}

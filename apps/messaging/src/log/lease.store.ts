import type { Pool } from 'pg';

export interface Lease {
  partition: number;
  term: number;
  owner: string | null;
  /** By the database's clock. */
  isExpired: boolean;
  /** Until it ends, in milliseconds; 0 or less where it has ended or nobody holds it. */
  endsInMs: number;
}

export const LEASE_MS = 1500;

/** Who may decide for a partition, and since which term. All times are the database's, so clocks may differ. */
export class LeaseStore {
  /** `pool` is a connection of the leases alone: a renewal never queues behind appends. */
  constructor(
    private readonly pool: Pool,
    private readonly instanceId: string,
  ) {}

  async all(): Promise<Lease[]> {
    const { rows } = await this.pool.query<{
      partition: number;
      term: string;
      owner: string | null;
      expired: boolean;
      ends_in_ms: number;
    }>({
      name: 'leases-all',
      text: `select partition, term, owner, expires_at < clock_timestamp() as expired,
               case when isfinite(expires_at)
                 then extract(epoch from expires_at - clock_timestamp())::float8 * 1000 else 0 end as ends_in_ms
             from leases`,
    });
    return rows.map((row) => ({
      partition: row.partition,
      term: Number(row.term),
      owner: row.owner,
      isExpired: row.expired,
      endsInMs: row.ends_in_ms,
    }));
  }

  /** Extends leases that are still this instance's; answers those that are. */
  async renew(partitions: number[]): Promise<Map<number, number>> {
    return this.change(
      'leases-renew',
      `update leases set expires_at = clock_timestamp() + interval '${LEASE_MS} ms'
       where partition = any($1::smallint[]) and owner = $2 returning partition, term`,
      partitions,
    );
  }

  /** Takes leases that nobody holds, each under a new term; answers what it got. */
  async acquire(partitions: number[]): Promise<Map<number, number>> {
    return this.change(
      'leases-acquire',
      `update leases set owner = $2, term = term + 1, expires_at = clock_timestamp() + interval '${LEASE_MS} ms'
       where partition in (
         select partition from leases
         where partition = any($1::smallint[]) and (owner is null or owner = $2 or expires_at < clock_timestamp())
         order by partition for update skip locked
       ) returning partition, term`,
      partitions,
    );
  }

  async release(partitions: number[]): Promise<void> {
    await this.change(
      'leases-release',
      `update leases set owner = null, expires_at = '-infinity'
       where partition = any($1::smallint[]) and owner = $2 returning partition, term`,
      partitions,
    );
  }

  private async change(name: string, text: string, partitions: number[]): Promise<Map<number, number>> {
    if (partitions.length === 0) return new Map();
    const { rows } = await this.pool.query<{ partition: number; term: string }>({
      name,
      text,
      values: [partitions, this.instanceId],
    });
    return new Map(rows.map((row) => [row.partition, Number(row.term)]));
  }
}

import { RowsDoNotFollow } from '@parley/broker';
import type { LogEvent } from '@parley/contracts';
import { dropFormerEpoch, type FedTables, isUniqueViolation, ROWS_PER_STEP } from '@parley/service';
import type { Pool } from 'pg';
import type { ParkedEvent, SoundRows } from './view.store';
import { RowsRefused, ViewFeedStore } from './view.store';
import { applyStatement } from './view.store.postgres.apply';
import { collapse } from './view.writes';

/** What `require_moved` raises. */
const doesNotFollow = 'PV001';

const tables: FedTables = {
  positions: 'applied',
  parked: 'parked',
  contents: [
    ['messages', 'number'],
    ['members', 'user_id'],
  ],
};

/** The feed's half of the view in PostgreSQL. */
export class PostgresViewFeedStore extends ViewFeedStore {
  /** @param pool connections whose search path is the view's schema */
  constructor(private readonly pool: Pool) {
    super();
  }

  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const foreign = await this.pool.query<{ partition: number }>(
      'select partition from applied where partition = any($1) and epoch <> $2 order by 1',
      [partitions, epoch],
    );
    for (const { partition } of foreign.rows) await dropFormerEpoch(this.pool, tables, partition, epoch);
    await this.pool.query(
      'insert into applied select unnest($1::smallint[]), $2, 0 on conflict (partition) do nothing',
      [partitions, epoch],
    );
    return this.positions(partitions, epoch);
  }

  async positions(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const { rows } = await this.pool.query<{ partition: number; position: string }>(
      'select partition, position from applied where partition = any($1) and epoch = $2',
      [partitions, epoch],
    );
    return new Map(rows.map((row) => [row.partition, Number(row.position)]));
  }

  async apply(batch: SoundRows[], parked: ParkedEvent[], epoch: string): Promise<void> {
    const writes = collapse(batch);
    const write = (expectsNew: boolean) =>
      this.pool.query(applyStatement(batch, writes, parked, epoch, expectsNew));
    try {
      if (writes.known.size > 0) await write(false);
      else {
        await write(true).catch((error: unknown) => {
          // They were written before, by an attempt whose answer was lost or by another instance.
          if (isUniqueViolation(error, 'messages_pkey')) return write(false);
          throw error;
        });
      }
    } catch (error) {
      throw meaningOf(error);
    }
  }

  async parked(limit: number, conversationId?: string): Promise<ParkedEvent[]> {
    const { rows } = await this.pool.query<ParkedRow>(
      `select partition, position, conversation_id, reason, event from parked
       ${conversationId === undefined ? '' : 'where conversation_id = $2'}
       order by parked_at, partition, position limit $1`,
      conversationId === undefined ? [limit] : [limit, conversationId],
    );
    return rows.map((row) => ({
      partition: row.partition,
      position: Number(row.position),
      conversationId: row.conversation_id,
      reason: row.reason,
      event: row.event,
    }));
  }

  async countParked(max: number): Promise<number> {
    const { rows } = await this.pool.query<{ n: number }>(
      'select count(*)::integer as n from (select from parked limit $1) as counted',
      [max],
    );
    return rows[0]?.n ?? 0;
  }

  async unpark(partition: number, row: LogEvent): Promise<void> {
    const { rows } = await this.pool.query<{ epoch: string; deleted: boolean | null }>(
      `select a.epoch, c.deleted from applied a left join conversations c on c.id = $2
       where a.partition = $1 and a.epoch <> ''`,
      [partition, row.conversationId],
    );
    const state = rows[0];
    // It may have lost its epoch, and the event goes with the rest of it.
    if (!state) return;
    if (!state.deleted) {
      // Positions only rise, so applying an old row again moves none; versions keep it from undoing anything.
      await this.apply(
        [{ partition, first: row.position, last: row.position, rows: [row] }],
        [],
        state.epoch,
      );
    }
    await this.pool.query('delete from parked where partition = $1 and position = $2', [
      partition,
      row.position,
    ]);
  }

  async erase(): Promise<boolean> {
    const { rows } = await this.pool.query<{ id: string }>(
      'select id from conversations where deleted and not erased order by id limit 1',
    );
    const id = rows[0]?.id;
    if (id === undefined) return false;
    for (const [table, key] of tables.contents) {
      // In the order of an index: without one the planner may read what others have instead.
      const { rowCount } = await this.pool.query(
        `delete from ${table} where ctid = any(array(
           select ctid from ${table} where conversation_id = $1 order by ${key} limit ${ROWS_PER_STEP}))`,
        [id],
      );
      if (rowCount === ROWS_PER_STEP) return true;
    }
    await this.pool.query('update conversations set erased = true where id = $1', [id]);
    return true;
  }
}

interface ParkedRow {
  partition: number;
  position: string;
  conversation_id: string | null;
  reason: string;
  event: unknown;
}

function meaningOf(error: unknown): unknown {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return error;
  if (code === doesNotFollow) return new RowsDoNotFollow();
  // Data exceptions and violated constraints: the rows are to blame, not the server.
  return /^(22|23)/.test(code) ? new RowsRefused(`SQLSTATE ${code}`) : error;
}

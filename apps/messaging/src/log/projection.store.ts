import type { Pool } from 'pg';
import type { ConversationHead, ConversationState } from '../conversation/conversation.state';
import { projectStatement } from './append.sql';
import type { LogRow, MemberEntry } from './log.store';
import { readConversations, readHeads, readMembers } from './projection.reader';

/**
 * The projection of a log that is elsewhere: the tables that PostgreSQL's log fills within its append, filled after it,
 * and for each partition the position up to which they are.
 */
export class ProjectionStore {
  constructor(private readonly pool: Pool) {}

  async positions(partitions: number[]): Promise<Map<number, number>> {
    const { rows } = await this.pool.query<{ partition: number; position: string }>({
      name: 'projection-positions',
      text: 'select partition, position from projections where partition = any($1::smallint[])',
      values: [partitions],
    });
    return new Map(rows.map((row) => [row.partition, Number(row.position)]));
  }

  /**
   * Projects rows, each partition's dense and rising. Answers the partitions that it left alone, because they did not
   * stand exactly before their first row: somebody else has projected some of them, or not yet those before.
   */
  async project(rows: LogRow[]): Promise<number[]> {
    const moved = await this.pool.query<{ partition: number }>(projectStatement(rows));
    const left = new Set(rows.map((row) => row.partition));
    for (const { partition } of moved.rows) left.delete(partition);
    return [...left];
  }

  conversations(ids: string[]): Promise<Map<string, ConversationState | ConversationHead>> {
    return readConversations(this.pool, ids);
  }

  members(ids: string[], limit: number, after?: string): Promise<Map<string, MemberEntry[]>> {
    return readMembers(this.pool, ids, limit, after);
  }

  heads(ids: string[]): Promise<Map<string, ConversationHead>> {
    return readHeads(this.pool, ids);
  }
}

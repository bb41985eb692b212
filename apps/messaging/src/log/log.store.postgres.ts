import { partitionOf } from '@parley/contracts';
import { sqlStateOfRefusal } from '@parley/service';
import type { Pool } from 'pg';
import type { ConversationHead, ConversationState, MessageState } from '../conversation/conversation.state';
import { appendStatement } from './append.sql';
import { AppendRefused, ClientIdTaken, LogStore, PositionTaken } from './log.store';
import type { LogRow, MemberEntry, MessageRef, Place, Shortfall, StoredEvent, Tail } from './log.store';
import { readConversations, readMembers } from './projection.reader';

interface DatabaseError {
  code?: string;
  constraint?: string;
  detail?: string;
}

/** The log in PostgreSQL: an append is one autocommit statement together with the projection that it implies. */
export class PostgresLogStore extends LogStore {
  constructor(private readonly pool: Pool) {
    super();
  }

  /** One statement stores all or nothing: a refused row keeps everybody else's out too. */
  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    try {
      await this.pool.query(appendStatement(rows));
      return new Map();
    } catch (error) {
      const reason = refusal(error as DatabaseError);
      if (!reason && sqlStateOfRefusal(error) !== undefined)
        throw new AppendRefused(String(error), { cause: error });
      if (!reason) throw error;
      const refused = reason instanceof PositionTaken ? reason.partition : partitionOf(reason.conversationId);
      if (!rows.some(({ partition }) => partition === refused)) throw error;
      return new Map(
        rows.map(({ partition }) => [partition, { stored: 0, ...(partition === refused && { reason }) }]),
      );
    }
  }

  /** An append is one with its projection. */
  override catchUp(partitions: number[]): Promise<Map<number, Tail>> {
    return this.tails(partitions);
  }

  override async positions(partitions: number[]): Promise<Map<number, number>> {
    const tails = await this.tails(partitions);
    return new Map([...tails].map(([partition, { position }]) => [partition, position]));
  }

  private async tails(partitions: number[]): Promise<Map<number, Tail>> {
    const { rows } = await this.pool.query<{ partition: number; position: string; term: string }>({
      name: 'log-tails',
      text: `select p.partition, coalesce(tail.position, 0) as position, coalesce(tail.term, 0) as term
             from unnest($1::smallint[]) as p(partition)
             left join lateral (
               select position, term from log where log.partition = p.partition order by position desc limit 1
             ) as tail on true`,
      values: [partitions],
    });
    return new Map(
      rows.map((row) => [row.partition, { position: Number(row.position), term: Number(row.term) }]),
    );
  }

  override async read(partition: number, after: number, limit: number): Promise<StoredEvent[]> {
    const { rows } = await this.pool.query<{ position: string; event: string }>({
      name: 'log-read',
      text: `select position, event::text as event from log
             where partition = $1 and position > $2 order by position limit $3`,
      values: [partition, after, limit],
    });
    return rows.map((row) => ({ position: Number(row.position), event: row.event }));
  }

  override async readAt(places: Place[]): Promise<(Place & StoredEvent)[]> {
    const { rows } = await this.pool.query<{ partition: number; position: string; event: string }>({
      name: 'log-read-at',
      text: `select partition, position, event::text as event
             from unnest($1::smallint[], $2::bigint[]) as place(partition, position)
             join log using (partition, position)`,
      values: [places.map(({ partition }) => partition), places.map(({ position }) => position)],
    });
    return rows.map((row) => ({ ...row, position: Number(row.position) }));
  }

  override conversations(ids: string[]): Promise<Map<string, ConversationState | ConversationHead>> {
    return readConversations(this.pool, ids);
  }

  override members(ids: string[], limit: number, after?: string): Promise<Map<string, MemberEntry[]>> {
    return readMembers(this.pool, ids, limit, after);
  }

  override async messages(wanted: MessageRef[]): Promise<Map<string, MessageState>> {
    const { rows } = await this.pool.query<{
      event: { message: MessageState['message'] };
      reactors: MessageState['reactors'] | null;
      request_hash: string;
    }>({
      name: 'log-messages',
      text: `select latest.event, latest.reactors, first.request_hash
             from unnest($1::uuid[]) as wanted(id)
             cross join lateral (
               select event, reactors from log where message_id = wanted.id order by version desc limit 1
             ) as latest
             cross join lateral (
               select request_hash from log where message_id = wanted.id order by version limit 1
             ) as first`,
      values: [wanted.map(({ messageId }) => messageId)],
    });
    return new Map(
      rows.map(({ event, reactors, request_hash: requestHash }) => [
        event.message.id,
        { message: event.message, requestHash, ...(reactors && { reactors }) },
      ]),
    );
  }

  override async messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined> {
    const { rows } = await this.pool.query<{ message_id: string }>({
      name: 'log-client-id',
      text: `select message_id from log
             where conversation_id = $1 and sender_id = $2 and client_message_id = $3`,
      values: [conversationId, senderId, clientMessageId],
    });
    return rows[0]?.message_id;
  }
}

/** A unique violation says for certain that the one statement stored nothing, and at which place it met another row. */
function refusal({ code, constraint, detail }: DatabaseError): PositionTaken | ClientIdTaken | undefined {
  if (code !== '23505') return undefined;
  // Whatever language the server speaks, the values stand between the last brackets.
  const values = /=\((.*)\)/.exec(detail ?? '')?.[1]?.split(', ') ?? [];
  if (constraint === 'log_position') return new PositionTaken(Number(values[0]));
  if (constraint === 'log_client_id') return new ClientIdTaken(values[0]!, values[1]!, values[2]!);
  return undefined;
}

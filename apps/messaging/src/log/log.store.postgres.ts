import type { Pool } from 'pg';
import type { ConversationState, MessageState } from '../conversation/conversation.state';
import { appendStatement } from './append.sql';
import { ClientIdTaken, LogStore, PositionTaken } from './log.store';
import type { LogRow, StoredEvent, Tail } from './log.store';

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

  override async append(rows: LogRow[]): Promise<void> {
    try {
      await this.pool.query(appendStatement(rows));
    } catch (error) {
      throw refusal(error as DatabaseError) ?? error;
    }
  }

  override async tails(partitions: number[]): Promise<Map<number, Tail>> {
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

  override async conversations(ids: string[]): Promise<Map<string, ConversationState>> {
    const { rows } = await this.pool.query<ConversationRow>({
      name: 'log-conversations',
      text: `select c.*, (
               select json_agg(json_build_array(m.user_id, m.role, m.joined_at) order by m.joined_at, m.user_id)
               from memberships m where m.conversation_id = c.id and m.role is not null
             ) as members
             from conversations c where c.id = any($1::uuid[])`,
      values: [ids],
    });
    return new Map(rows.map((row) => [row.id, toState(row)]));
  }

  override async messages(ids: string[]): Promise<Map<string, MessageState>> {
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
      values: [ids],
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

interface ConversationRow {
  id: string;
  type: ConversationState['type'];
  title: string | null;
  topic: string | null;
  visibility: ConversationState['visibility'];
  archived: boolean;
  is_deleted: boolean;
  created_by: string | null;
  created_at: Date;
  version: string;
  message_count: string;
  last_activity_at: Date;
  last_message_id: string | null;
  request_hash: string;
  members: [string, 'owner' | 'admin' | 'member', string][] | null;
}

function toState(row: ConversationRow): ConversationState {
  return {
    id: row.id,
    type: row.type,
    title: row.title,
    topic: row.topic,
    visibility: row.visibility,
    archived: row.archived,
    isDeleted: row.is_deleted,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    version: Number(row.version),
    messageCount: Number(row.message_count),
    lastActivityAt: row.last_activity_at.toISOString(),
    lastMessageId: row.last_message_id,
    requestHash: row.request_hash,
    members: new Map(
      (row.members ?? []).map(([userId, role, joinedAt]) => [
        userId,
        { role, joinedAt: new Date(joinedAt).toISOString() },
      ]),
    ),
  };
}

/** A unique violation says for certain that the one statement stored nothing, and at which place it met another row. */
function refusal({ code, constraint, detail }: DatabaseError): Error | undefined {
  if (code !== '23505') return undefined;
  const values = /=\((.*)\) already exists/.exec(detail ?? '')?.[1]?.split(', ') ?? [];
  if (constraint === 'log_position') return new PositionTaken(Number(values[0]));
  if (constraint === 'log_client_id') return new ClientIdTaken(values[0]!, values[1]!, values[2]!);
  return undefined;
}

import type { Conversation, Member, Message } from '@parley/contracts';
import type { Pool, QueryConfig } from 'pg';
import { types } from 'pg';
import { decodeMessage } from './message.codec';
import { bigintArray, uuidArray } from './postgres.arrays';
import type { Entity, MessageSelection, Standing } from './view.store';
import { ViewStore } from './view.store';

/** Counters are safe integers; JSON is decoded where it is known what it is. */
const parsers: QueryConfig['types'] = {
  getTypeParser: ((oid: number, format: 'text') => {
    if (oid === types.builtins.INT8) return Number;
    if (oid === types.builtins.JSON) return String;
    return types.getTypeParser(oid, format);
  }) as typeof types.getTypeParser,
};

/**
 * The reading half of the view in PostgreSQL. A reading costs what is asked for, however much else there is and whatever the
 * statistics say: `offset 0` and inner limits keep the planner to the index that is meant.
 */
export class PostgresViewStore extends ViewStore {
  /** @param pool connections whose search path is the view's schema */
  constructor(private readonly pool: Pool) {
    super();
  }

  async standings(userId: string, conversationIds: string[]): Promise<Map<string, Standing>> {
    const rows = await this.read<StandingRow>(
      'view-standings',
      `select c.id, a.epoch, c.head, c.message_count, c.shared, c.deleted,
         m.user_id is not null as is_member,
         exists (select from parked p where p.conversation_id = c.id::text offset 0) as is_parked
       from unnest($1::uuid[]) as asked(id)
       cross join lateral (select * from conversations where id = asked.id offset 0) as c
       join applied a on a.partition = c.partition
       left join lateral (
         select user_id from members where conversation_id = asked.id and user_id = $2 and not removed offset 0
       ) as m on true`,
      [uuidArray(conversationIds), userId],
    );
    return new Map(
      rows.map((row) => [
        row.id,
        {
          conversationId: row.id,
          epoch: row.epoch,
          head: row.head,
          messageCount: row.message_count,
          conversation: row.shared === null ? null : sharedPart(row.shared, row.head, row.message_count),
          deleted: row.deleted,
          isMember: row.is_member,
          isParked: row.is_parked,
        },
      ]),
    );
  }

  async heads(conversationIds: string[]): Promise<Map<string, number>> {
    const rows = await this.read<{ id: string; head: number }>(
      'view-heads',
      'select id, head from conversations where id = any($1::uuid[])',
      [uuidArray(conversationIds)],
    );
    return new Map(rows.map((row) => [row.id, row.head]));
  }

  async changes(asks: { conversationId: string; above: number }[], limit: number): Promise<Entity[][]> {
    const found: Entity[][] = asks.map(() => []);
    if (asks.length === 0) return found;
    // The inner limit bounds what one conversation costs, the outer one ends the walk over the conversations.
    const rows = await this.read<ChangeRow>(
      'view-changes',
      `select asked.n, entry.*
       from unnest($1::uuid[], $2::bigint[]) with ordinality as asked(id, above, n)
       cross join lateral (
         (select version, body, null::uuid as user_id, null::text as role, null::timestamptz as joined_at,
            null::boolean as removed, null::json as shared, null::bigint as head, null::bigint as message_count
          from messages where conversation_id = asked.id and version > asked.above
          order by version limit $3)
         union all
         (select version, null, user_id, role, joined_at, removed, null, null, null
          from members where conversation_id = asked.id and version > asked.above
          order by version fetch first $3 rows with ties)
         union all
         (select shared_version, null, null, null, null, null, shared, head, message_count
          from conversations where id = asked.id and shared_version > asked.above and shared is not null)
         order by version fetch first $3 rows with ties
       ) as entry
       order by asked.n, entry.version fetch first $3 rows with ties`,
      [uuidArray(asks.map((ask) => ask.conversationId)), bigintArray(asks.map((ask) => ask.above)), limit],
    );
    for (const row of rows) found[row.n - 1]?.push(entityOf(row));
    return found;
  }

  async members(conversationIds: string[]): Promise<Map<string, Member[]>> {
    const found = new Map<string, Member[]>(conversationIds.map((id) => [id, []]));
    if (found.size === 0) return found;
    const rows = await this.read<MemberRow & { conversation_id: string }>(
      'view-members',
      `select asked.id as conversation_id, m.user_id, m.role, m.joined_at
       from unnest($1::uuid[]) as asked(id)
       cross join lateral (select * from members where conversation_id = asked.id and not removed offset 0) as m
       order by asked.id, m.joined_at, m.user_id`,
      [uuidArray(conversationIds)],
    );
    for (const row of rows) found.get(row.conversation_id)?.push(memberOf(row));
    return found;
  }

  async messages(selection: MessageSelection): Promise<Message[]> {
    const { conversationId, above = 0, below = Number.MAX_SAFE_INTEGER, limit, newest } = selection;
    // Where the walk begins and where it ends.
    const values: unknown[] = [conversationId, newest ? below : above, newest ? above : below, limit];
    const [onwards, order] = newest ? ['<', 'desc'] : ['>', 'asc'];
    let kind = newest ? 'newest' : 'oldest';
    let key = 'conversation_id = $1';
    if (selection.threadId !== undefined) {
      kind += '-thread';
      // A thread lies in one conversation.
      key = 'thread_id = $5';
      values.push(selection.threadId);
    } else if (selection.pinned) {
      kind += '-pinned';
      key += ' and pinned';
    }
    // From where it begins alone: between two bounds the planner expects next to nothing, and would sort all there is.
    const rows = await this.read<{ body: string }>(
      `view-messages-${kind}`,
      `select body from (
         select conversation_id, number, body from messages where ${key} and number ${onwards} $2
         order by number ${order} limit $4
       ) as walk
       where conversation_id = $1 and $3 ${onwards} number order by number ${order}`,
      values,
    );
    const messages = rows.map((row) => decodeMessage(row.body));
    return newest ? messages.reverse() : messages;
  }

  async message(conversationId: string, messageId: string): Promise<Message | undefined> {
    const rows = await this.read<{ body: string }>(
      'view-message',
      `select body from (select conversation_id, body from messages where id = $2 offset 0) as message
       where conversation_id = $1`,
      [conversationId, messageId],
    );
    return rows[0] && decodeMessage(rows[0].body);
  }

  async numberAt(conversationId: string, time: string): Promise<number> {
    // A binary search over numbers, which rise with time: an index by time would cost every write.
    const rows = await this.read<{ low: number }>(
      'view-number-at',
      `with recursive bounds(low, high) as (
         select 1::bigint, (select message_count from conversations where id = $1) + 1
         union all
         select case when later then low else middle + 1 end, case when later then middle else high end
         from bounds
         cross join lateral (select (low + high) / 2 as middle) as half
         cross join lateral (
           select coalesce((select created_at >= to_timestamp($2::float8 / 1000) from messages
             where conversation_id = $1 and number >= half.middle order by number limit 1), true) as later) as probe
         where low < high
       )
       select low from bounds where low >= high`,
      // As a number: a year 0 is none to PostgreSQL's text.
      [conversationId, Date.parse(time)],
    );
    return rows[0]?.low ?? 1;
  }

  private async read<Row extends object>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    const { rows } = await this.pool.query<Row>({ name, text, values, types: parsers });
    return rows;
  }
}

interface StandingRow {
  id: string;
  epoch: string;
  head: number;
  message_count: number;
  shared: string | null;
  deleted: boolean;
  is_member: boolean;
  is_parked: boolean;
}

interface MemberRow {
  user_id: string;
  role: string;
  joined_at: Date;
}

interface ChangeRow extends MemberRow {
  n: number;
  version: number;
  body: string | null;
  removed: boolean;
  shared: string | null;
  head: number;
  message_count: number;
}

/** The shared part as it came with its last change, with the counters that have moved since. */
function sharedPart(shared: string, head: number, messageCount: number): Conversation {
  return { ...(JSON.parse(shared) as Conversation), version: head, messageCount };
}

function memberOf(row: MemberRow): Member {
  return { userId: row.user_id, role: row.role as Member['role'], joinedAt: row.joined_at.toISOString() };
}

function entityOf(row: ChangeRow): Entity {
  const { version } = row;
  if (row.body !== null) return { kind: 'message', version, message: decodeMessage(row.body) };
  if (row.shared !== null) {
    const conversation = sharedPart(row.shared, row.head, row.message_count);
    return { kind: 'conversation', version, conversation };
  }
  return { kind: 'member', version, member: memberOf(row), removed: row.removed };
}

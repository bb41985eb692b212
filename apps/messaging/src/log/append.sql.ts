import type { QueryConfig } from 'pg';
import type { ConversationHead } from '../conversation/conversation.state';
import type { LogRow, MembershipChange } from './log.store';

const text = `
with appended as (
  insert into log (partition, position, term, conversation_id, version, number, message_id, sender_id,
                   client_message_id, request_hash, at, event, reactors)
  select * from rows from (
    unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[],
           $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[]),
    json_array_elements($12::json),
    unnest($13::json[])
  ) as rows
), projected as (
  insert into conversations as c (id, partition, type, title, topic, visibility, archived, is_deleted, created_by,
                                  created_at, version, message_count, member_count, last_activity_at,
                                  last_message_id, request_hash)
  select * from unnest($14::uuid[], $15::smallint[], $16::text[], $17::text[], $18::text[], $19::text[],
                       $20::boolean[], $21::boolean[], $22::uuid[], $23::timestamptz[], $24::bigint[], $25::bigint[],
                       $26::integer[], $27::timestamptz[], $28::uuid[], $29::text[])
  on conflict (id) do update set
    title = excluded.title, topic = excluded.topic, visibility = excluded.visibility, archived = excluded.archived,
    is_deleted = excluded.is_deleted, version = excluded.version, message_count = excluded.message_count,
    member_count = excluded.member_count, last_activity_at = excluded.last_activity_at,
    last_message_id = excluded.last_message_id
), joined as (
  insert into memberships (user_id, conversation_id, role, joined_at, read_base)
  select * from unnest($30::uuid[], $31::uuid[], $32::text[], $33::timestamptz[], $34::bigint[])
  on conflict (user_id, conversation_id) do update set
    role = excluded.role, joined_at = excluded.joined_at,
    -- A change of role leaves the read mark where joining put it.
    read_base = case when memberships.role is null then excluded.read_base else memberships.read_base end,
    stamp = pg_current_xact_id()
)
insert into mentions (user_id, conversation_id, number)
select * from unnest($35::uuid[], $36::uuid[], $37::bigint[])
on conflict do nothing`;

/**
 * One statement for a whole batch. Events are one JSON array, whose elements PostgreSQL gives back character for character:
 * as an array of texts every quote in them would be escaped here and unescaped there. Named, so that it is planned once per connection. */
export function appendStatement(rows: LogRow[]): QueryConfig {
  const conversations = new Map<string, { state: ConversationHead; partition: number }>();
  const memberships = new Map<string, { conversationId: string; change: MembershipChange }>();
  const mentions: { userId: string; row: LogRow }[] = [];
  for (const row of rows) {
    conversations.set(row.conversationId, { state: row.conversation, partition: row.partition });
    for (const change of row.memberships) {
      const key = `${row.conversationId}/${change.userId}`;
      memberships.set(key, { conversationId: row.conversationId, change });
    }
    for (const userId of row.mentions) mentions.push({ userId, row });
  }
  const states = [...conversations.values()];
  const changes = [...memberships.values()];
  const values: unknown[] = [
    rows.map((row) => row.partition),
    rows.map((row) => row.position),
    rows.map((row) => row.term),
    rows.map((row) => row.conversationId),
    rows.map((row) => row.version),
    rows.map((row) => row.number),
    rows.map((row) => row.messageId),
    rows.map((row) => row.senderId),
    rows.map((row) => row.clientMessageId),
    rows.map((row) => row.requestHash),
    rows.map((row) => row.at),
    `[${rows.map((row) => row.event).join(',')}]`,
    rows.map((row) => row.reactors),
    states.map(({ state }) => state.id),
    states.map(({ partition }) => partition),
    states.map(({ state }) => state.type),
    states.map(({ state }) => state.title),
    states.map(({ state }) => state.topic),
    states.map(({ state }) => state.visibility),
    states.map(({ state }) => state.archived),
    states.map(({ state }) => state.isDeleted),
    states.map(({ state }) => state.createdBy),
    states.map(({ state }) => state.createdAt),
    states.map(({ state }) => state.version),
    states.map(({ state }) => state.messageCount),
    states.map(({ state }) => state.memberCount),
    states.map(({ state }) => state.lastActivityAt),
    states.map(({ state }) => state.lastMessageId),
    states.map(({ state }) => state.requestHash),
    changes.map(({ change }) => change.userId),
    changes.map(({ conversationId }) => conversationId),
    changes.map(({ change }) => change.role),
    changes.map(({ change }) => change.joinedAt),
    changes.map(({ change }) => change.readBase),
    mentions.map(({ userId }) => userId),
    mentions.map(({ row }) => row.conversationId),
    mentions.map(({ row }) => row.number),
  ];
  return { name: 'log-append', text, values };
}

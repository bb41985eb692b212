import { jsonArray, plainArray } from './postgres.arrays';
import { encodeMessage } from './message.codec';
import type { ParkedEvent, SoundRows } from './view.store';
import { collapse } from './view.writes';

/**
 * Everything that a batch changes, as one statement and so one transaction. Data-modifying parts see the tables as they
 * were before, which is why each entity comes once. `require_moved` undoes all of it when some partition does not follow.
 */
const text = `
with moved as (
  update applied a set position = greatest(a.position, p.last)
  from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as p(partition, first, last)
  where a.partition = p.partition and a.epoch = $1 and a.position >= p.first - 1
  returning a.partition
), written_messages as (
  insert into messages as m (conversation_id, number, version, created_at, id, thread_id, pinned, body)
  select * from unnest($5::uuid[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::uuid[], $10::uuid[],
    $11::boolean[], $12::json[])
  on conflict (conversation_id, number) do update
    set version = excluded.version, thread_id = excluded.thread_id, pinned = excluded.pinned, body = excluded.body
    where m.version < excluded.version
), written_conversations as (
  insert into conversations as c
    (id, partition, head, message_count, shared, shared_version, shared_position, deleted)
  select * from unnest($13::uuid[], $14::smallint[], $15::bigint[], $16::bigint[], $17::json[], $18::bigint[],
    $19::bigint[], $20::boolean[])
  on conflict (id) do update set
    head = greatest(c.head, excluded.head),
    message_count = greatest(c.message_count, excluded.message_count),
    shared = case when excluded.shared_position > c.shared_position then excluded.shared else c.shared end,
    shared_version = greatest(c.shared_version, excluded.shared_version),
    shared_position = greatest(c.shared_position, excluded.shared_position),
    deleted = c.deleted or excluded.deleted
    where c.head < excluded.head or c.shared_position < excluded.shared_position
), written_members as (
  insert into members as m (conversation_id, user_id, role, joined_at, version, position, removed)
  select * from unnest($21::uuid[], $22::uuid[], $23::text[], $24::timestamptz[], $25::bigint[], $26::bigint[],
    $27::boolean[])
  on conflict (conversation_id, user_id) do update set
    role = excluded.role, joined_at = excluded.joined_at, version = coalesce(excluded.version, m.version),
    position = excluded.position, removed = excluded.removed
    where m.position < excluded.position
), written_parked as (
  insert into parked (partition, position, conversation_id, reason, event)
  select * from unnest($28::smallint[], $29::bigint[], $30::text[], $31::text[], $32::json[])
  on conflict do nothing
)
select require_moved((select count(*) from moved), cardinality($2::smallint[]))`;

/** The statement for node-postgres, prepared once per connection under its name. */
export function applyStatement(batch: SoundRows[], parked: ParkedEvent[], epoch: string) {
  const writes = collapse(batch);
  const messages = [...writes.messages.values()];
  const conversations = [...writes.conversations.values()];
  const members = [...writes.members.values()];
  return {
    name: 'view-apply',
    text,
    values: [
      epoch,
      plainArray(batch.map((rows) => rows.partition)),
      plainArray(batch.map((rows) => rows.first)),
      plainArray(batch.map((rows) => rows.last)),
      plainArray(messages.map((message) => message.conversationId)),
      plainArray(messages.map((message) => message.number)),
      plainArray(messages.map((message) => message.version)),
      plainArray(messages.map((message) => message.createdAt)),
      plainArray(messages.map((message) => message.id)),
      plainArray(messages.map((message) => message.threadId ?? null)),
      plainArray(messages.map((message) => message.pinned)),
      jsonArray(messages.map(encodeMessage)),
      plainArray(conversations.map((write) => write.id)),
      plainArray(conversations.map((write) => write.partition)),
      plainArray(conversations.map((write) => write.head)),
      plainArray(conversations.map((write) => write.messageCount)),
      jsonArray(conversations.map((write) => write.shared && JSON.stringify(write.shared))),
      plainArray(conversations.map((write) => write.sharedVersion)),
      plainArray(conversations.map((write) => write.sharedPosition)),
      plainArray(conversations.map((write) => write.deleted)),
      plainArray(members.map((write) => write.conversationId)),
      plainArray(members.map((write) => write.userId)),
      plainArray(members.map((write) => write.role)),
      plainArray(members.map((write) => write.joinedAt)),
      plainArray(members.map((write) => write.version)),
      plainArray(members.map((write) => write.position)),
      plainArray(members.map((write) => write.removed)),
      plainArray(parked.map((event) => event.partition)),
      plainArray(parked.map((event) => event.position)),
      parked.map((event) => event.conversationId),
      parked.map((event) => event.reason),
      jsonArray(parked.map(({ event }) => JSON.stringify(event))),
    ],
  };
}

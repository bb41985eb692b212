import { encodeMessage } from './message.codec';
import {
  bigintArray,
  boolArray,
  jsonArray,
  smallintArray,
  timestampArray,
  uuidArray,
} from './postgres.arrays';
import type { ParkedEvent, SoundRows } from './view.store';
import type { ViewWrites } from './view.writes';

/**
 * Everything that a batch changes, as one statement and so one transaction. Data-modifying parts see the tables as they
 * were before, which is why each entity comes once. `require_moved` undoes all of it when some partition does not follow.
 *
 * The commit does not wait for the disk: that would slow the log's own commits, whose answers people wait for. A crash of
 * the server can take the last moments, positions included, which the log then gives again.
 */
const statement = (onKnownMessage: string) => `
with moved as (
  update applied a set position = greatest(a.position, p.last)
  from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as p(partition, first, last)
  where a.partition = p.partition and a.epoch = $1 and a.position >= p.first - 1
  returning a.partition
), written_messages as (
  insert into messages as m (conversation_id, number, version, created_at, id, thread_id, pinned, body)
  select * from unnest($5::uuid[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::uuid[], $10::uuid[],
    $11::boolean[], $12::json[])
  ${onKnownMessage}
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
select require_moved((select count(*) from moved), cardinality($2::smallint[])),
  set_config('synchronous_commit', 'off', true)`;

/** For batches of newly created messages: nothing is looked up, and one that is there already ends the statement. */
const createText = statement('');

const replaceText = statement(`
  on conflict (conversation_id, number) do update
    set version = excluded.version, thread_id = excluded.thread_id, pinned = excluded.pinned, body = excluded.body
    where m.version < excluded.version`);

/**
 * The statement for node-postgres, prepared once per connection under its name.
 *
 * @param expectsNew when no message of the writes is in the view yet, as far as known
 */
export function applyStatement(
  batch: SoundRows[],
  writes: ViewWrites,
  parked: ParkedEvent[],
  epoch: string,
  expectsNew: boolean,
) {
  const messages = [...writes.messages.values()];
  const conversations = [...writes.conversations.values()];
  const members = [...writes.members.values()];
  return {
    name: expectsNew ? 'view-create' : 'view-replace',
    text: expectsNew ? createText : replaceText,
    values: [
      epoch,
      smallintArray(batch.map((rows) => rows.partition)),
      bigintArray(batch.map((rows) => rows.first)),
      bigintArray(batch.map((rows) => rows.last)),
      uuidArray(messages.map((message) => message.conversationId)),
      bigintArray(messages.map((message) => message.number)),
      bigintArray(messages.map((message) => message.version)),
      timestampArray(messages.map((message) => message.createdAt)),
      uuidArray(messages.map((message) => message.id)),
      uuidArray(messages.map((message) => message.threadId ?? null)),
      boolArray(messages.map((message) => message.pinned)),
      jsonArray(messages.map(encodeMessage)),
      uuidArray(conversations.map((write) => write.id)),
      smallintArray(conversations.map((write) => write.partition)),
      bigintArray(conversations.map((write) => write.head)),
      bigintArray(conversations.map((write) => write.messageCount)),
      jsonArray(conversations.map((write) => write.shared && JSON.stringify(write.shared))),
      bigintArray(conversations.map((write) => write.sharedVersion)),
      bigintArray(conversations.map((write) => write.sharedPosition)),
      boolArray(conversations.map((write) => write.deleted)),
      uuidArray(members.map((write) => write.conversationId)),
      uuidArray(members.map((write) => write.userId)),
      members.map((write) => write.role),
      timestampArray(members.map((write) => write.joinedAt)),
      bigintArray(members.map((write) => write.version)),
      bigintArray(members.map((write) => write.position)),
      boolArray(members.map((write) => write.removed)),
      smallintArray(parked.map((event) => event.partition)),
      bigintArray(parked.map((event) => event.position)),
      parked.map((event) => event.conversationId),
      parked.map((event) => event.reason),
      jsonArray(parked.map(({ event }) => JSON.stringify(event))),
    ],
  };
}

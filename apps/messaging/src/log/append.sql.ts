import type { QueryConfig } from 'pg';
import type { ConversationHead } from '../conversation/conversation.state';
import type { LogRow, MembershipChange } from './log.store';

/**
 * What rows mean for the tables that everybody else reads: conversations, memberships, mentions. `$n` are the values of
 * `projectionValues`, from `$first` on; `gate` is a condition on the partition of each. Few rows take mentions back: the others'
 * statement has nothing of it.
 */
function projection(first: number, gate: (partition: string) => string, takesBack: boolean): string {
  let next = first;
  const arrays = (...types: string[]) => types.map((type) => `$${next++}::${type}[]`).join(', ');
  return `projected as (
  insert into conversations as c (id, partition, type, title, topic, visibility, archived, is_deleted, created_by,
                                  created_at, version, message_count, member_count, last_activity_at,
                                  last_message_id, last_message_position, request_hash)
  select * from unnest(${arrays('uuid', 'smallint', 'text', 'text', 'text', 'text', 'boolean', 'boolean', 'uuid')},
    ${arrays('timestamptz', 'bigint', 'bigint', 'integer', 'timestamptz', 'uuid', 'bigint', 'text')})
    as s (id, partition) ${gate('s.partition')}
  on conflict (id) do update set
    title = excluded.title, topic = excluded.topic, visibility = excluded.visibility, archived = excluded.archived,
    is_deleted = excluded.is_deleted, version = excluded.version, message_count = excluded.message_count,
    member_count = excluded.member_count, last_activity_at = excluded.last_activity_at,
    last_message_id = excluded.last_message_id,
    last_message_position = coalesce(excluded.last_message_position, c.last_message_position)
), joined as (
  insert into memberships (user_id, conversation_id, role, joined_at, read_base)
  select user_id, conversation_id, role, joined_at, read_base
  from unnest(${arrays('uuid', 'uuid', 'text', 'timestamptz', 'bigint', 'smallint')})
    as s (user_id, conversation_id, role, joined_at, read_base, partition) ${gate('s.partition')}
  on conflict (user_id, conversation_id) do update set
    role = excluded.role, joined_at = excluded.joined_at,
    -- Whoever is in by the same joining stays where that put the read mark. Somebody may have left and come back.
    read_base = case when memberships.role is not null and memberships.joined_at = excluded.joined_at
      then memberships.read_base else excluded.read_base end,
    stamp = pg_current_xact_id()
), mentioned as (
  insert into mentions (user_id, conversation_id, number)
  select user_id, conversation_id, number
  from unnest(${arrays('uuid', 'uuid', 'bigint', 'smallint')})
    as s (user_id, conversation_id, number, partition) ${gate('s.partition')}
  on conflict do nothing
)${takesBack ? `, ${retraction(arrays('uuid', 'uuid', 'bigint', 'smallint'), gate)}` : ''}`;
}

/** One that is locked is being forgotten by its user's read mark: an append waits for nobody. */
function retraction(arrays: string, gate: (partition: string) => string): string {
  return `unmentioned as (
  delete from mentions where ctid = any(array(
    select n.ctid from unnest(${arrays}) as s (user_id, conversation_id, number, partition)
    cross join lateral (
      select ctid from mentions
      where user_id = s.user_id and conversation_id = s.conversation_id and number = s.number
      for update skip locked
    ) as n ${gate('s.partition')}))
)`;
}

interface Projected {
  partition: number;
  head: ConversationHead;
  /** Of the last row about its last message; null when these rows have none. */
  lastMessagePosition: number | null;
}

interface Mention {
  userId: string;
  row: LogRow;
  /** Of the message. */
  number: number;
  /** Or taken back. */
  isMade: boolean;
}

/** Every mention that a row makes or takes back. */
function mentionsOf(row: LogRow): Mention[] {
  const made = row.mentions.map((userId) => ({ userId, row, number: row.number ?? 0, isMade: true }));
  if (!row.mentionChange) return made;
  const { number, added, gone } = row.mentionChange;
  return [
    ...made,
    ...added.map((userId) => ({ userId, row, number, isMade: true })),
    ...gone.map((userId) => ({ userId, row, number, isMade: false })),
  ];
}

function mentionColumns(mentions: Mention[]): unknown[][] {
  return [
    mentions.map(({ userId }) => userId),
    mentions.map(({ row }) => row.conversationId),
    mentions.map(({ number }) => number),
    mentions.map(({ row }) => row.partition),
  ];
}

/** Whether some row takes a mention back. */
function takeBack(rows: LogRow[]): boolean {
  return rows.some(({ mentionChange }) => mentionChange && mentionChange.gone.length > 0);
}

/** A change after another one of the same member: only joining says where the read mark starts. */
function after(before: MembershipChange | undefined, change: MembershipChange): MembershipChange {
  const isSameJoining = before !== undefined && before.role !== null && before.joinedAt === change.joinedAt;
  return isSameJoining ? { ...change, readBase: before.readBase } : change;
}

/** The last state of each conversation, membership and mention among these rows, as arrays by column. */
function projectionValues(rows: LogRow[]): unknown[] {
  const conversations = new Map<string, Projected>();
  const memberships = new Map<string, { row: LogRow; change: MembershipChange }>();
  const mentions = new Map<string, Mention>();
  for (const row of rows) {
    const { conversationId, conversation: head, messageId } = row;
    const isOfLast = messageId !== null && messageId === head.lastMessageId;
    const known = conversations.get(conversationId);
    const lastMessagePosition = isOfLast ? row.position : (known?.lastMessagePosition ?? null);
    conversations.set(conversationId, { partition: row.partition, head, lastMessagePosition });
    for (const change of row.memberships) {
      const key = `${conversationId}/${change.userId}`;
      memberships.set(key, { row, change: after(memberships.get(key)?.change, change) });
    }
    for (const mention of mentionsOf(row))
      mentions.set(`${conversationId}/${mention.number}/${mention.userId}`, mention);
  }
  const states = [...conversations.values()];
  const changes = [...memberships.values()];
  return [
    states.map(({ head }) => head.id),
    states.map(({ partition }) => partition),
    states.map(({ head }) => head.type),
    states.map(({ head }) => head.title),
    states.map(({ head }) => head.topic),
    states.map(({ head }) => head.visibility),
    states.map(({ head }) => head.archived),
    states.map(({ head }) => head.isDeleted),
    states.map(({ head }) => head.createdBy),
    states.map(({ head }) => head.createdAt),
    states.map(({ head }) => head.version),
    states.map(({ head }) => head.messageCount),
    states.map(({ head }) => head.memberCount),
    states.map(({ head }) => head.lastActivityAt),
    states.map(({ head }) => head.lastMessageId),
    states.map(({ lastMessagePosition }) => lastMessagePosition),
    states.map(({ head }) => head.requestHash),
    changes.map(({ change }) => change.userId),
    changes.map(({ row }) => row.conversationId),
    changes.map(({ change }) => change.role),
    changes.map(({ change }) => change.joinedAt),
    changes.map(({ change }) => change.readBase),
    changes.map(({ row }) => row.partition),
    ...mentionColumns([...mentions.values()].filter(({ isMade }) => isMade)),
    ...(takeBack(rows) ? mentionColumns([...mentions.values()].filter(({ isMade }) => !isMade)) : []),
  ];
}

const appendText = (takesBack: boolean) => `
with appended as (
  insert into log (partition, position, term, conversation_id, version, number, message_id, sender_id,
                   client_message_id, request_hash, at, event, reactors)
  select * from rows from (
    unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::bigint[], $6::bigint[],
           $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[]),
    json_array_elements($12::json),
    unnest($13::json[])
  ) as rows
), ${projection(14, () => '', takesBack)}
select`;

const [appendPlain, appendRetracting] = [appendText(false), appendText(true)];

/**
 * One statement for a whole batch. Events are one JSON array, whose elements PostgreSQL gives back character for character:
 * as an array of texts every quote in them would be escaped here and unescaped there. Named, so that it is planned once per connection.
 */
export function appendStatement(rows: LogRow[]): QueryConfig {
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
    ...projectionValues(rows),
  ];
  return takeBack(rows)
    ? { name: 'log-append-retract', text: appendRetracting, values }
    : { name: 'log-append', text: appendPlain, values };
}

// Who moves a partition's position holds it until the statement ends: of two at once, the second finds it moved.
const projectText = (takesBack: boolean) => `
with moved as (
  update projections p set position = span.last
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as span (partition, first, last)
  where p.partition = span.partition and p.position = span.first - 1
  returning p.partition
), ${projection(4, (partition) => `where ${partition} in (select partition from moved)`, takesBack)}
select partition from moved`;

const [projectPlain, projectRetracting] = [projectText(false), projectText(true)];

/**
 * Projects rows that are in the log already, each partition's dense and rising: one statement, which leaves alone the
 * partitions that do not stand exactly before their first row. Answers `{partition}` of those that it has moved.
 */
export function projectStatement(rows: LogRow[]): QueryConfig {
  const spans = new Map<number, { first: number; last: number }>();
  for (const { partition, position } of rows) {
    const span = spans.get(partition);
    if (span) span.last = position;
    else spans.set(partition, { first: position, last: position });
  }
  const values: unknown[] = [
    [...spans.keys()],
    [...spans.values()].map(({ first }) => first),
    [...spans.values()].map(({ last }) => last),
    ...projectionValues(rows),
  ];
  return takeBack(rows)
    ? { name: 'log-project-retract', text: projectRetracting, values }
    : { name: 'log-project', text: projectPlain, values };
}

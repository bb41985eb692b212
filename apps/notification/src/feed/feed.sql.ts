import type { Entry } from '../notification/entry';
import { columns } from '../transaction';

/**
 * $1 partitions, $2 first positions, $3 last positions, $4 revisions, $5 epoch: moves all of them, or none unless each
 * stands right before its first, and nobody has changed its memberships meanwhile.
 */
export const storePositionsSql = `
  with ready as (
    select p.partition, v.last from feed_positions p
    join unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) as v (partition, first, last, revision)
      on p.partition = v.partition and p.revision = v.revision
    where p.epoch = $5 and p.position >= v.first - 1 and p.position < v.last
    order by 1 for update of p
  )
  update feed_positions p set position = ready.last from ready
  where p.partition = ready.partition and (select count(*) from ready) = cardinality($1::smallint[])`;

/**
 * The same, and $6 to $13 the entries' columns; gives how many positions moved and which entries are new. Entries come
 * with their positions alone: where these do not move, the memberships that they were made by may be old.
 */
export const storeEntriesSql = `
  with moved as (${storePositionsSql} returning p.partition),
  inserted as (${insertEntriesSql(6, 'where exists (select from moved)')})
  select (select count(*) from moved) as moved, array(select id from inserted) as inserted`;

/**
 * Inserts entries that are not there and gives the ids of the new ones.
 *
 * @param from the number of the first of the eight parameters that `entryColumns` gives
 * @param when a condition for all of them
 */
export function insertEntriesSql(from: number, when = ''): string {
  const types = ['uuid', 'uuid', 'text', 'uuid', 'uuid', 'bigint', 'uuid', 'timestamptz'];
  return `
    insert into notifications
      (user_id, id, type, conversation_id, message_id, number, sender_id, created_at)
    select * from unnest(${types.map((type, i) => `$${from + i}::${type}[]`).join(', ')}) ${when}
    on conflict do nothing
    returning id::text as id`;
}

export function entryColumns(entries: Entry[]): unknown[][] {
  return columns(
    entries,
    'userId',
    'id',
    'type',
    'conversationId',
    'messageId',
    'number',
    'senderId',
    'createdAt',
  );
}

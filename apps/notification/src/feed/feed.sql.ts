import type { Entry } from '../notification/entry';
import { columns } from '../transaction';

/**
 * $1 partitions, $2 first positions, $3 last positions, $4 revisions, $5 epoch: moves those that stand right before the
 * first, and whose memberships nobody has changed meanwhile.
 */
export const storePositionsSql = `
  update feed_positions p set position = v.last
  from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[]) as v (partition, first, last, revision)
  where p.partition = v.partition and p.epoch = $5 and p.revision = v.revision
    and p.position >= v.first - 1 and p.position < v.last`;

/** The same, and $6 to $13 the entries' columns; gives how many positions moved and which entries are new. */
export const storeEntriesSql = `
  with moved as (${storePositionsSql} returning p.partition),
  inserted as (${insertEntriesSql(6)})
  select (select count(*) from moved) as moved, array(select id from inserted) as inserted`;

/**
 * Inserts entries that are not there and gives the ids of the new ones.
 *
 * @param from the number of the first of the eight parameters that `entryColumns` gives
 */
export function insertEntriesSql(from: number): string {
  const types = ['uuid', 'uuid', 'text', 'uuid', 'uuid', 'bigint', 'uuid', 'timestamptz'];
  return `
    insert into notifications
      (user_id, id, type, conversation_id, message_id, number, sender_id, created_at)
    select * from unnest(${types.map((type, i) => `$${from + i}::${type}[]`).join(', ')})
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

/** $1 partitions, $2 first positions, $3 last positions, $4 epoch: moves those that stand right before the first. */
export const storePositionsSql = `
  update feed_positions p set position = v.last
  from unnest($1::smallint[], $2::bigint[], $3::bigint[]) as v (partition, first, last)
  where p.partition = v.partition and p.epoch = $4 and p.position >= v.first - 1 and p.position < v.last`;

/** The same, and $5 to $12 the entries' columns; gives how many positions moved and which entries are new. */
export const storeEntriesSql = `
  with moved as (${storePositionsSql} returning p.partition),
  inserted as (
    insert into notifications
      (user_id, id, type, conversation_id, message_id, number, sender_id, created_at)
    select * from unnest($5::uuid[], $6::uuid[], $7::text[], $8::uuid[], $9::uuid[], $10::bigint[], $11::uuid[],
      $12::timestamptz[])
    on conflict do nothing
    returning id
  )
  select (select count(*) from moved) as moved, array(select id::text from inserted) as inserted`;

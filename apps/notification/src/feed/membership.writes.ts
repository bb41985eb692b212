import type { PoolClient } from 'pg';
import { columns } from '../transaction';
import type { BatchWalk } from './batch.walk';

/** Stores what a walk changed in the copies of conversations and memberships. Part of the caller's transaction. */
export async function storeMemberships(client: PoolClient, walk: BatchWalk): Promise<void> {
  const deleted = [...walk.deleted];
  if (deleted.length > 0) {
    await client.query('delete from members where conversation_id = any($1::uuid[])', [deleted]);
    await client.query('delete from conversations where id = any($1::uuid[])', [deleted]);
  }
  await client.query(
    `insert into conversations (id, partition, type, member_count)
     select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[])
     on conflict (id) do update set member_count = excluded.member_count`,
    columns([...walk.conversations.values()], 'id', 'partition', 'type', 'memberCount'),
  );
  const changes = [...walk.memberships].flatMap(([conversationId, users]) =>
    [...users].map(([userId, isMember]) => ({ conversationId, userId, isMember })),
  );
  await client.query(
    `delete from members m using unnest($1::uuid[], $2::uuid[]) as gone (conversation_id, user_id)
     where m.conversation_id = gone.conversation_id and m.user_id = gone.user_id`,
    columns(
      changes.filter((change) => !change.isMember),
      'conversationId',
      'userId',
    ),
  );
  await client.query(
    `insert into members (conversation_id, user_id) select * from unnest($1::uuid[], $2::uuid[])
     on conflict do nothing`,
    columns(
      changes.filter((change) => change.isMember),
      'conversationId',
      'userId',
    ),
  );
}

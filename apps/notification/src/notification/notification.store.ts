import type { Notification } from '@parley/contracts';
import type { Pool } from 'pg';
import { NIL } from 'uuid';
import type { NotificationCursor } from './notification.cursor';

interface Row {
  id: string;
  type: Notification['type'];
  conversation_id: string;
  message_id: string;
  number: string;
  sender_id: string | null;
  created_at: Date;
  read_at: Date | null;
}

/**
 * Entries of conversations that the user has left are not theirs to see; they come back with the membership. `offset 0` keeps
 * the planner from joining all memberships of a user, which it would have to look for among those of everybody.
 */
const isVisible = `exists (
  select from members m where m.conversation_id = n.conversation_id and m.user_id = n.user_id offset 0)`;

/** The lists as their owners read them. Every method touches the entries of one user only. Rejects with pg's errors. */
export class NotificationStore {
  constructor(
    private readonly pool: Pool,
    private readonly keptPerUser: number,
  ) {}

  /** Newest first, those older than the cursor; messages of one moment in the order of their numbers. */
  async list(userId: string, after: NotificationCursor | undefined, limit: number): Promise<Notification[]> {
    const { rows } = await this.pool.query<Row>({
      name: 'list',
      text: `select n.id, n.type, n.conversation_id, n.message_id, n.number, n.sender_id, n.created_at, n.read_at
             from notifications n
             where n.user_id = $1 and (n.created_at, n.number, n.id) < ($2::timestamptz, $3::bigint, $4::uuid) and ${isVisible}
             order by n.created_at desc, n.number desc, n.id desc limit $5`,
      values: [userId, after?.createdAt ?? 'infinity', after?.number ?? 0, after?.id ?? NIL, limit],
    });
    return rows.map((row) => ({
      id: row.id,
      type: row.type,
      conversationId: row.conversation_id,
      messageId: row.message_id,
      number: Number(row.number),
      senderId: row.sender_id,
      createdAt: row.created_at.toISOString(),
      readAt: row.read_at?.toISOString() ?? null,
    }));
  }

  async unreadCount(userId: string): Promise<number> {
    const { rows } = await this.pool.query<{ count: string }>({
      name: 'unread-count',
      text: `select count(*) from notifications n where n.user_id = $1 and n.read_at is null and ${isVisible}`,
      values: [userId],
    });
    return Number(rows[0]?.count ?? 0);
  }

  /** Marks those of the ids that are in the user's list; others change nothing. */
  async markRead(userId: string, ids: string[]): Promise<void> {
    await this.pool.query({
      name: 'mark-read',
      text: `update notifications set read_at = now()
             where user_id = $1 and id = any($2::uuid[]) and read_at is null`,
      values: [userId, ids],
    });
  }

  /** Marks the entry and all that are older; one that is not in the user's list changes nothing. */
  async markReadUpTo(userId: string, id: string): Promise<void> {
    await this.pool.query({
      name: 'mark-read-up-to',
      text: `update notifications set read_at = now()
             where user_id = $1 and read_at is null and (created_at, number, id) <=
               (select n.created_at, n.number, n.id from notifications n where n.user_id = $1 and n.id = $2)`,
      values: [userId, id],
    });
  }

  /** Drops what is older than the newest entries that are kept. Returns how many were dropped. */
  async prune(userIds: string[]): Promise<number> {
    const { rowCount } = await this.pool.query({
      name: 'prune',
      text: `delete from notifications where ctid = any(array(
               select old.ctid from unnest($1::uuid[]) as u (user_id) cross join lateral (
                 select o.created_at, o.number, o.id from notifications o where o.user_id = u.user_id
                 order by o.created_at desc, o.number desc, o.id desc offset $2 limit 1) as newest
               cross join lateral (
                 select n.ctid from notifications n where n.user_id = u.user_id
                   and (n.created_at, n.number, n.id) <= (newest.created_at, newest.number, newest.id) offset 0) as old))`,
      values: [userIds, this.keptPerUser],
    });
    return rowCount ?? 0;
  }
}

import type { Pool } from 'pg';
import type { ConversationState } from '../conversation/conversation.state';

/** Conversations with their members, as the projection has them; wherever the log is, the projection is in PostgreSQL. */
export async function readConversations(pool: Pool, ids: string[]): Promise<Map<string, ConversationState>> {
  const { rows } = await pool.query<ConversationRow>({
    name: 'log-conversations',
    text: `select c.*, (
             select json_agg(json_build_array(m.user_id, m.role, m.joined_at) order by m.joined_at, m.user_id)
             from memberships m where m.conversation_id = c.id and m.role is not null and not c.is_deleted
           ) as members
           from conversations c where c.id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, toState(row)]));
}

interface ConversationRow {
  id: string;
  type: ConversationState['type'];
  title: string | null;
  topic: string | null;
  visibility: ConversationState['visibility'];
  archived: boolean;
  is_deleted: boolean;
  created_by: string | null;
  created_at: Date;
  version: string;
  message_count: string;
  last_activity_at: Date;
  last_message_id: string | null;
  request_hash: string;
  members: [string, 'owner' | 'admin' | 'member', string][] | null;
}

function toState(row: ConversationRow): ConversationState {
  return {
    id: row.id,
    type: row.type,
    title: row.title,
    topic: row.topic,
    visibility: row.visibility,
    archived: row.archived,
    isDeleted: row.is_deleted,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    version: Number(row.version),
    messageCount: Number(row.message_count),
    lastActivityAt: row.last_activity_at.toISOString(),
    lastMessageId: row.last_message_id,
    requestHash: row.request_hash,
    members: new Map(
      (row.members ?? []).map(([userId, role, joinedAt]) => [
        userId,
        { role, joinedAt: new Date(joinedAt).toISOString() },
      ]),
    ),
  };
}

import type { Pool } from 'pg';
import { NIL } from 'uuid';
import type { ConversationHead, ConversationState, MemberState } from '../conversation/conversation.state';
import { MEMBERS_WITH_CONVERSATION, type MemberEntry } from './log.store';

/**
 * Conversations as the projection has them, without their members; wherever the log is, the projection is in PostgreSQL. The
 * count of members is the one that the last row of each left, which is 0 once it is deleted.
 */
export async function readHeads(pool: Pool, ids: string[]): Promise<Map<string, ConversationHead>> {
  const { rows } = await pool.query<ConversationRow>({
    name: 'log-heads',
    text: 'select * from conversations where id = any($1::uuid[])',
    values: [ids],
  });
  return new Map(rows.map((row) => [row.id, toHead(row)]));
}

/** Conversations with their members, where these are few; the others without. */
export async function readConversations(
  pool: Pool,
  ids: string[],
): Promise<Map<string, ConversationState | ConversationHead>> {
  const { rows } = await pool.query<ConversationRow & { members: MemberJson[] | null }>({
    name: 'log-conversations',
    text: `select c.*, case when c.member_count <= ${MEMBERS_WITH_CONVERSATION} then (
             select json_agg(${memberJson})
             from memberships m where m.conversation_id = c.id and m.role is not null and not c.is_deleted
           ) end as members
           from conversations c where c.id = any($1::uuid[])`,
    values: [ids],
  });
  return new Map(
    rows.map((row) => [row.id, row.member_count > MEMBERS_WITH_CONVERSATION ? toHead(row) : toState(row)]),
  );
}

/** Of each conversation at most `limit` members above `after`, by the key of an index, in its order: each costs the same. */
export async function readMembers(
  pool: Pool,
  conversationIds: string[],
  limit: number,
  after: string = NIL,
): Promise<Map<string, MemberEntry[]>> {
  const { rows } = await pool.query<{ id: string; members: MemberJson[] | null }>({
    name: 'log-members',
    text: `select wanted.id, (
             select json_agg(${memberJson}) from (
               select user_id, role, joined_at from memberships
               where conversation_id = wanted.id and user_id > $2::uuid and role is not null
               order by user_id limit $3
             ) m
           ) as members
           from unnest($1::uuid[]) as wanted(id)`,
    values: [conversationIds, after, limit],
  });
  return new Map(rows.map(({ id, members }) => [id, (members ?? []).map(toEntry)]));
}

type MemberJson = [userId: string, role: MemberState['role'], joinedAt: string];

/** The time as it is kept and told: of a channel's it would take a while to make it anew. */
const memberJson = `json_build_array(m.user_id, m.role,
  to_char(m.joined_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`;

function toEntry([userId, role, joinedAt]: MemberJson): MemberEntry {
  return [userId, { role, joinedAt }];
}

interface ConversationRow {
  id: string;
  type: ConversationHead['type'];
  title: string | null;
  topic: string | null;
  visibility: ConversationHead['visibility'];
  archived: boolean;
  is_deleted: boolean;
  created_by: string | null;
  created_at: Date;
  version: string;
  message_count: string;
  member_count: number;
  last_activity_at: Date;
  last_message_id: string | null;
  request_hash: string;
}

function toHead(row: ConversationRow): ConversationHead {
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
    memberCount: row.member_count,
    lastActivityAt: row.last_activity_at.toISOString(),
    lastMessageId: row.last_message_id,
    requestHash: row.request_hash,
  };
}

function toState(row: ConversationRow & { members: MemberJson[] | null }): ConversationState {
  const { memberCount: _counted, ...head } = toHead(row);
  return { ...head, members: new Map((row.members ?? []).map(toEntry)) };
}

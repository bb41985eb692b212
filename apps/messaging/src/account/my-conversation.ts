import type { Message, MyConversation } from '@parley/contracts';

/** Those of a deleted conversation are ended some time after it (`MembershipEnder`). Aliases as below. */
export const isMember = 'm.role is not null and not c.is_deleted';

/** What one member sees of a conversation. Aliases: m membership, c conversation, k mark. */
export const myConversationColumns = `
  m.conversation_id as id, case when not c.is_deleted then m.role end as role, m.read_base,
  c.type, c.title, c.topic, c.visibility, c.archived, c.created_by, c.created_at, c.version, c.message_count,
  c.member_count, c.last_activity_at, k.read_number, k.unread_from,
  c.partition, c.last_message_id, c.last_message_position,
  (select count(*)::integer from mentions n where n.user_id = m.user_id and n.conversation_id = m.conversation_id
     and n.number > greatest(m.read_base, coalesce(k.read_number, 0))) as unread_mentions,
  case when c.type = 'direct' then
    (select o.user_id from memberships o
     where o.conversation_id = c.id and o.user_id <> m.user_id and o.role is not null limit 1)
  end as direct_user_id`;

/**
 * To follow a membership `m`: its conversation and its mark, each looked up by its key. `offset 0` keeps the planner from
 * other ways: a reading costs what its user has, however much others have and whatever the statistics say.
 */
export const joinMyConversation = `
  join lateral (select * from conversations where id = m.conversation_id offset 0) c on true
  left join lateral
    (select * from marks where user_id = m.user_id and conversation_id = m.conversation_id offset 0) k on true`;

export interface MyConversationRow {
  id: string;
  role: MyConversation['role'] | null;
  read_base: string;
  type: MyConversation['type'];
  title: string | null;
  topic: string | null;
  visibility: MyConversation['visibility'];
  archived: boolean;
  created_by: string | null;
  created_at: Date;
  version: string;
  message_count: string;
  member_count: number;
  last_activity_at: Date;
  read_number: string | null;
  unread_from: string | null;
  partition: number;
  last_message_id: string | null;
  last_message_position: string | null;
  unread_mentions: number;
  direct_user_id: string | null;
}

export function toMyConversation(row: MyConversationRow, lastMessage: Message | null): MyConversation {
  const messageCount = Number(row.message_count);
  const readNumber = Math.min(messageCount, Math.max(Number(row.read_base), Number(row.read_number ?? 0)));
  return {
    id: row.id,
    type: row.type,
    title: row.title,
    topic: row.topic,
    visibility: row.visibility,
    archived: row.archived,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    version: Number(row.version),
    messageCount,
    memberCount: row.member_count,
    role: row.role ?? 'member',
    firstNumber: 1,
    readNumber,
    unread: messageCount - readNumber,
    unreadMentions: row.unread_mentions,
    unreadFrom: row.unread_from === null ? null : Number(row.unread_from),
    notifications: { level: 'all', mutedUntil: null },
    lastMessage,
    lastActivityAt: row.last_activity_at.toISOString(),
    ...(row.direct_user_id !== null && { directUserId: row.direct_user_id }),
  };
}

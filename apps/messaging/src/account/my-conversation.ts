import { limits, type Message, type MyConversation } from '@parley/contracts';

/** Those of a deleted conversation are ended some time after it (`MembershipEnder`). Aliases: m membership, c conversation. */
export const isMember = 'm.role is not null and not c.is_deleted';

/** Which of a user's conversations are read, and in what order: all of it SQL. */
interface Selection {
  /** Memberships as `m`. */
  from: string;
  where?: string;
  /** By columns of a membership and its conversation together. */
  order: string;
  limit?: string;
}

/**
 * Conversations as one member sees them. Each is looked up by its key, and the mark and the mentions of those alone that are on
 * the page. `offset 0` keeps the planner from other ways: a reading costs what its user has, however much others have and
 * whatever the statistics say.
 */
export function myConversations({ from, where = 'true', order, limit = 'all' }: Selection): string {
  return `
    select mine.conversation_id as id, case when not mine.is_deleted then mine.role end as role, mine.read_base,
      mine.type, mine.title, mine.topic, mine.visibility, mine.archived, mine.created_by, mine.created_at, mine.version,
      mine.message_count, mine.member_count, mine.last_activity_at, k.read_number, k.unread_from,
      mine.partition, mine.last_message_id, mine.last_message_position,
      (select count(*)::integer from (
         select from mentions n where n.user_id = mine.user_id and n.conversation_id = mine.conversation_id
           and n.number > greatest(mine.read_base, coalesce(k.read_number, 0))
         limit ${limits.unreadMentionsMax}) as counted) as unread_mentions,
      case when mine.type = 'direct' then
        (select o.user_id from memberships o
         where o.conversation_id = mine.conversation_id and o.user_id <> mine.user_id and o.role is not null limit 1)
      end as direct_user_id
    from (
      select m.user_id, m.conversation_id, m.role, m.read_base, c.*
      from ${from}
      join lateral (select * from conversations where id = m.conversation_id offset 0) as c on true
      where ${where} order by ${order} limit ${limit}
    ) as mine
    left join lateral (
      select read_number, unread_from from marks
      where user_id = mine.user_id and conversation_id = mine.conversation_id offset 0
    ) as k on true
    order by ${order}`;
}

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

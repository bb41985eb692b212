import type { Conversation, Member } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import type { Pool } from 'pg';
import { NIL } from 'uuid';

interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** A text that few titles have, one of ten or twenty, is searched for. */
const WALKED_MAX = 1000;

/** Lists that the projection answers: members of a conversation, public channels. */
export class ConversationReader {
  constructor(private readonly pool: Pool) {}

  /** Members in the order of their ids. */
  async members(conversationId: string, limit: number, cursor: string | undefined): Promise<Page<Member>> {
    const { rows } = await this.pool.query<{ user_id: string; role: Member['role']; joined_at: Date }>({
      name: 'conversation-members',
      text: `select user_id, role, joined_at from memberships
             where conversation_id = $1 and role is not null and user_id > $2::uuid
             order by user_id limit $3`,
      values: [conversationId, cursor === undefined ? NIL : memberCursor(cursor), limit + 1],
    });
    const items = rows.slice(0, limit).map((row) => ({
      userId: row.user_id,
      role: row.role,
      joinedAt: row.joined_at.toISOString(),
    }));
    const last = items[items.length - 1];
    return { items, nextCursor: rows.length > limit && last ? toCursor(last.userId) : null };
  }

  /** Public channels whose title contains the text, by title. */
  async channels(text: string, limit: number, cursor: string | undefined): Promise<Page<Conversation>> {
    const after = cursor === undefined ? ['', NIL] : channelCursor(cursor);
    let rows = await this.walk(text, after, limit + 1);
    if (text !== '' && rows.length <= limit) rows = await this.search(text, after, limit + 1);
    const page = rows.slice(0, limit);
    const last = page[page.length - 1];
    return {
      items: page.map(toChannel),
      nextCursor: rows.length > limit && last ? toCursor(`${last.id} ${last.key}`) : null,
    };
  }

  /** Goes through the next ones by title: of a text that is in many titles it finds a page. */
  private async walk(text: string, after: string[], limit: number): Promise<ChannelRow[]> {
    const { rows } = await this.pool.query<ChannelRow>({
      name: 'conversation-channels',
      text: `select ${channelColumns} from (
               select * from conversations where ${isListed} and (lower(title), id) > ($2, $3::uuid)
               order by lower(title), id limit $4
             ) as walked
             where position(lower($1) in lower(title)) > 0 order by key, id limit $5`,
      values: [text, ...after, text === '' ? limit : WALKED_MAX, limit],
    });
    return rows;
  }

  /** Finds those whose title has all parts of the text, and then the text: few, or the walk had found enough of them. */
  private async search(text: string, after: string[], limit: number): Promise<ChannelRow[]> {
    const { rows } = await this.pool.query<ChannelRow>({
      name: 'conversation-channels-search',
      text: `with found as materialized (
               select * from conversations where ${isListed} and title_grams(title) @> title_grams($1)
             )
             select ${channelColumns} from found
             where position(lower($1) in lower(title)) > 0 and (lower(title), id) > ($2, $3::uuid)
             order by key, id limit $4`,
      values: [text, ...after, limit],
    });
    return rows;
  }
}

const channelColumns = `
  id, title, topic, archived, created_by, created_at, version, message_count, member_count, lower(title) as key`;

/** As the indexes say it. */
const isListed = `visibility = 'public' and not is_deleted and not archived`;

interface ChannelRow {
  id: string;
  title: string | null;
  topic: string | null;
  archived: boolean;
  created_by: string | null;
  created_at: Date;
  version: string;
  message_count: string;
  member_count: number;
  key: string;
}

function toChannel(row: ChannelRow): Conversation {
  return {
    id: row.id,
    type: 'channel',
    title: row.title,
    topic: row.topic,
    visibility: 'public',
    archived: row.archived,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    version: Number(row.version),
    messageCount: Number(row.message_count),
    memberCount: row.member_count,
  };
}

function toCursor(text: string): string {
  return Buffer.from(text).toString('base64url');
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

function memberCursor(cursor: string): string {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (!new RegExp(`^${uuid}$`).test(text)) throw foreignCursor();
  return text;
}

function channelCursor(cursor: string): [string, string] {
  const parts = new RegExp(`^(${uuid}) (.*)$`, 's').exec(Buffer.from(cursor, 'base64url').toString());
  // What no text of PostgreSQL can hold is none of ours.
  if (!parts?.[1] || parts[2] === undefined || parts[2].includes('\0')) throw foreignCursor();
  return [parts[2], parts[1]];
}

function foreignCursor(): ParleyError {
  return new ParleyError('invalid_request', 'cursor: is not one of ours');
}

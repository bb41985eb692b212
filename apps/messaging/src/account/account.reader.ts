import { charactersOf, countWithin, PAGE_CHARACTERS_MAX } from '@parley/broker';
import type { AccountChange, AccountPage, Message, MyConversation } from '@parley/contracts';
import { id, limits, ParleyError, timestamp } from '@parley/contracts';
import { readAgain } from '@parley/service';
import type { Pool } from 'pg';
import { NIL } from 'uuid';
import type { LogReader } from '../log/log.store';
import { lastMessages } from './last-message.reader';
import type { MyConversationRow } from './my-conversation';
import { isMember, myConversations, toMyConversation } from './my-conversation';

/** Gives one row without an entry where there is none: the snapshot is wanted in any case. */
const withSnapshot = (entries: string) => `
  select now.xmin, entry.*
  from (select pg_snapshot_xmin(pg_current_snapshot())::text as xmin) as now
  left join lateral (${entries}) as entry on true
  order by entry.id`;

const pageOfAll = withSnapshot(
  myConversations({
    from: 'memberships m',
    where: `m.user_id = $1 and m.conversation_id > $2::uuid and ${isMember}`,
    order: 'conversation_id',
    limit: '$3',
  }),
);

/** An entry changes with the membership or the mark. Which did is known before anything is looked up for them. */
const touched = ['memberships', 'marks']
  .map(
    (table) => `
    select conversation_id from ${table}
    where user_id = $1 and stamp >= $4::xid8 and conversation_id > $2::uuid`,
  )
  .join(' union ');
const pageOfChanges = withSnapshot(
  myConversations({
    from: `(select * from (${touched}) as entries order by conversation_id limit $3) as touched
      join lateral (
        select * from memberships where user_id = $1 and conversation_id = touched.conversation_id offset 0
      ) as m on true`,
    order: 'conversation_id',
  }),
);

const byActivity = 'last_activity_at desc, conversation_id desc';

/** The one row of a reading that found nothing: it has the snapshot alone. */
interface NoEntry {
  id: null;
}

export interface ConversationPage {
  items: MyConversation[];
  nextCursor: string | null;
}

/**
 * What belongs to a user alone. Entries carry the id of the transaction that last changed them; a cursor is the oldest
 * transaction still under way at the reading (`pg_snapshot_xmin`): everything before it was seen, everything at or after
 * it is read again. So no entry can be missed, some are seen twice.
 */
export class AccountReader {
  constructor(
    private readonly pool: Pool,
    private readonly log: LogReader,
  ) {}

  /** Entries changed since the cursor; null asks for all that are joined. */
  async changes(userId: string, cursor: string | null, limit: number): Promise<AccountPage> {
    const from = cursor === null ? undefined : decodeCursor(cursor);
    const after = from?.after ?? NIL;
    const { rows: read } = await this.pool.query<(MyConversationRow | NoEntry) & { xmin: string }>(
      from === undefined || from.since === '0'
        ? { name: 'account-all', text: pageOfAll, values: [userId, after, limit + 1] }
        : { name: 'account-changes', text: pageOfChanges, values: [userId, after, limit + 1, from.since] },
    );
    // Where the sync after this one begins: as the first page saw things, so that nothing falls in between.
    const next = from?.next ?? read[0]!.xmin;
    const rows = read.filter((row) => row.id !== null);
    const asked = rows.slice(0, limit);
    const joined = await this.complete(asked.filter(({ role }) => role !== null));
    const joinedById = new Map(joined.map((conversation) => [conversation.id, conversation]));
    const changes = asked.map(({ id }) => toChange(id, joinedById.get(id)));
    const page = changes.slice(0, countWithin(changes, PAGE_CHARACTERS_MAX, charactersOfChange));
    const more = rows.length > page.length;
    const last = page[page.length - 1];
    const cursorNow =
      more && last
        ? encodeCursor({ since: from?.since ?? '0', next, after: last.conversationId })
        : encodeCursor({ since: next });
    return { cursor: cursorNow, more, changes: page };
  }

  /** A cursor for somebody who knows everything up to now. */
  async cursor(): Promise<string> {
    return encodeCursor({ since: await this.snapshot() });
  }

  private async snapshot(): Promise<string> {
    const { rows } = await this.pool.query<{ xmin: string }>(
      'select pg_snapshot_xmin(pg_current_snapshot())::text as xmin',
    );
    return rows[0]!.xmin;
  }

  /** The first pages of several users' lists, by user: `list` without a cursor, in one statement for all. */
  async firstPages(userIds: string[], limit: number): Promise<Map<string, ConversationPage>> {
    const { rows } = await this.pool.query<MyConversationRow & { reader_id: string }>({
      name: 'account-first-pages',
      text: `select page.*, asked.user_id as reader_id
             from unnest($1::uuid[]) as asked(user_id)
             cross join lateral (${myConversations({
               from: 'memberships m',
               where: `m.user_id = asked.user_id and ${isMember}`,
               order: byActivity,
               limit: '$2',
             })}) as page
             order by asked.user_id, page.last_activity_at desc, page.id desc`,
      values: [userIds, limit + 1],
    });
    const byUser = new Map(userIds.map((userId) => [userId, [] as MyConversationRow[]]));
    for (const { reader_id: readerId, ...row } of rows) byUser.get(readerId)?.push(row);
    // Those who come together are often in the same conversations: each last message is read once.
    const messages = await lastMessages(this.log, distinct(rows));
    return new Map([...byUser].map(([userId, own]) => [userId, toPage(own, limit, messages)]));
  }

  /** One user's conversations, most recently active first. */
  async list(userId: string, limit: number, cursor: string | undefined): Promise<ConversationPage> {
    const [before, beforeId] = cursor === undefined ? [null, null] : decodeListCursor(cursor);
    const { rows } = await this.pool.query<MyConversationRow>({
      name: 'account-list',
      text: myConversations({
        from: 'memberships m',
        where: `m.user_id = $1 and ${isMember}
          and ($2::timestamptz is null or (c.last_activity_at, c.id) < ($2, $3::uuid))`,
        order: byActivity,
        limit: '$4',
      }),
      values: [userId, before, beforeId, limit + 1],
    });
    return toPage(rows, limit, await lastMessages(this.log, rows.slice(0, limit)));
  }

  /**
   * Whether these users may come into one more conversation. Nobody comes where the one who tells of it, `inside`, is a member
   * already: that is a repeat, which is answered however much they are in by now.
   *
   * @throws ParleyError `forbidden` when one of them is in as many as anybody may be
   */
  async checkRoom(userIds: string[], conversationId: string, inside: string): Promise<void> {
    const { rows } = await readAgain(() =>
      this.pool.query({
        name: 'account-room-for-one',
        text: `select user_id from memberships where user_id = any($1::uuid[]) and role is not null
                 and not exists (
                   select from memberships m
                   where m.user_id = $3 and m.conversation_id = $4 and m.role is not null)
               group by user_id having count(*) >= $2 limit 1`,
        values: [userIds, limits.userConversationsMax, inside, conversationId],
      }),
    );
    if (rows.length > 0)
      throw new ParleyError('forbidden', 'Somebody is in as many conversations as anybody may be.');
  }

  /** One conversation as a member sees it; undefined for anybody else. */
  async one(userId: string, conversationId: string): Promise<MyConversation | undefined> {
    const { rows } = await this.pool.query<MyConversationRow>({
      name: 'account-one',
      text: myConversations({
        from: 'memberships m',
        where: `m.user_id = $1 and m.conversation_id = $2 and ${isMember}`,
        order: 'conversation_id',
      }),
      values: [userId, conversationId],
    });
    return (await this.complete(rows))[0];
  }

  /** With their last messages, which the log has. */
  private async complete(rows: MyConversationRow[]): Promise<MyConversation[]> {
    const messages = await lastMessages(this.log, rows);
    return rows.map((row) => toMyConversation(row, messages.get(row.id) ?? null));
  }
}

/** About what a conversation takes as JSON, without its last message. */
const CONVERSATION_CHARACTERS = 500;

function charactersOfConversation({ title, topic, lastMessage }: MyConversation): number {
  const own = CONVERSATION_CHARACTERS + 2 * ((title?.length ?? 0) + (topic?.length ?? 0));
  return own + (lastMessage ? charactersOf(lastMessage) : 0);
}

function charactersOfChange(change: AccountChange): number {
  return change.state === 'left' ? CONVERSATION_CHARACTERS : charactersOfConversation(change.conversation);
}

/**
 * A page of rows that were read with one more than fit, to know whether there is another. Where their last messages are large, it
 * holds fewer.
 */
function toPage(
  rows: MyConversationRow[],
  limit: number,
  messages: ReadonlyMap<string, Message>,
): ConversationPage {
  const asked = rows.slice(0, limit).map((row) => toMyConversation(row, messages.get(row.id) ?? null));
  const items = asked.slice(0, countWithin(asked, PAGE_CHARACTERS_MAX, charactersOfConversation));
  const last = items[items.length - 1];
  const nextCursor =
    rows.length > items.length && last
      ? Buffer.from(`${last.lastActivityAt} ${last.id}`).toString('base64url')
      : null;
  return { items, nextCursor };
}

/** One row of each conversation; what is not the reader's own is the same in all. */
function distinct(rows: MyConversationRow[]): MyConversationRow[] {
  return [...new Map(rows.map((row) => [row.id, row])).values()];
}

function toChange(conversationId: string, conversation: MyConversation | undefined): AccountChange {
  return conversation ? { state: 'joined', conversationId, conversation } : { state: 'left', conversationId };
}

interface Cursor {
  since: string;
  /** While pages of one sync follow each other: where the sync after it begins. */
  next?: string;
  after?: string;
}

function encodeCursor({ since, next, after }: Cursor): string {
  return Buffer.from([since, next, after].filter((part) => part !== undefined).join(' ')).toString(
    'base64url',
  );
}

/** As PostgreSQL numbers transactions. */
const TRANSACTION_MAX = 2n ** 64n - 1n;
const isTransaction = (text: string) => /^\d{1,20}$/.test(text) && BigInt(text) <= TRANSACTION_MAX;
const isId = (text: string) => id.safeParse(text).success;
/** PostgreSQL knows no year 0. */
const isTime = (text: string) => timestamp.safeParse(text).success && text >= '0001';

function decodeCursor(cursor: string): Cursor {
  const [since = '', next, after, ...more] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const isWithin = next !== undefined && after !== undefined && isTransaction(next) && isId(after);
  if (!isTransaction(since) || more.length > 0 || (next !== undefined && !isWithin))
    throw new ParleyError('invalid_request', 'accountCursor: is not one of ours');
  return { since, next, after };
}

function decodeListCursor(cursor: string): [string, string] {
  const [before = '', beforeId = '', ...more] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (!isTime(before) || !isId(beforeId) || more.length > 0)
    throw new ParleyError('invalid_request', 'cursor: is not one of ours');
  return [before, beforeId];
}

import { readAgain } from '@parley/service';
import type { Pool } from 'pg';

export interface MarkPlace {
  userId: string;
  conversationId: string;
}

export interface Mark extends MarkPlace {
  readNumber: number;
}

/** Read marks and mark-unread: state of a user alone, stamped with the transaction that last changed it. */
export class MarkStore {
  constructor(private readonly pool: Pool) {}

  /** Moves marks forward, never back; answers the users whose marks moved. Reading clears an unread mark at or below. */
  async advance(marks: Mark[]): Promise<Set<string>> {
    const { rows } = await this.pool.query<{ user_id: string }>({
      name: 'marks-advance',
      // Mentions up to a mark are never counted again.
      text: `with moved as (
               insert into marks as m (user_id, conversation_id, read_number)
               select * from unnest($1::uuid[], $2::uuid[], $3::bigint[])
               on conflict (user_id, conversation_id) do update set
                 read_number = excluded.read_number,
                 unread_from = case when m.unread_from > excluded.read_number then m.unread_from end,
                 stamp = pg_current_xact_id()
               where m.read_number < excluded.read_number
               returning user_id, conversation_id, read_number
             ), forgotten as (
               delete from mentions n using moved
               where n.user_id = moved.user_id and n.conversation_id = moved.conversation_id
                 and n.number <= moved.read_number
             )
             select user_id from moved`,
      values: [
        marks.map((mark) => mark.userId),
        marks.map((mark) => mark.conversationId),
        marks.map((mark) => mark.readNumber),
      ],
    });
    return new Set(rows.map((row) => row.user_id));
  }

  /** Where these marks stand, in their order: at least where joining put them. */
  async standing(places: MarkPlace[]): Promise<number[]> {
    const { rows } = await readAgain(() =>
      this.pool.query<{ read_number: string | null }>({
        name: 'marks-standing',
        text: `select greatest(
                 (select read_base from memberships where user_id = asked.user_id and conversation_id = asked.conversation_id),
                 (select read_number from marks where user_id = asked.user_id and conversation_id = asked.conversation_id)
               ) as read_number
               from unnest($1::uuid[], $2::uuid[]) with ordinality as asked(user_id, conversation_id, n) order by n`,
        values: [places.map(({ userId }) => userId), places.map(({ conversationId }) => conversationId)],
      }),
    );
    return rows.map(({ read_number: readNumber }) => Number(readNumber ?? 0));
  }

  /** Sets or clears the private unread mark; answers whether anything changed. */
  async setUnread(userId: string, conversationId: string, fromNumber: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'marks-unread',
      text: `insert into marks as m (user_id, conversation_id, unread_from) values ($1, $2, $3)
             on conflict (user_id, conversation_id) do update set
               unread_from = excluded.unread_from, stamp = pg_current_xact_id()
             where m.unread_from is distinct from excluded.unread_from`,
      values: [userId, conversationId, fromNumber],
    });
    return (rowCount ?? 0) > 0;
  }
}

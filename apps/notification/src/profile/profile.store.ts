import type { Pool } from 'pg';

/** Names, as auth last told them. */
export class ProfileStore {
  constructor(private readonly pool: Pool) {}

  /** Keeps what is newest by sequence; a repeat changes nothing. Returns whether it was new. */
  async put(user: { id: string; username: string; displayName: string }, sequence: number): Promise<boolean> {
    const { rowCount } = await this.pool.query({
      name: 'put-profile',
      text: `insert into profiles as p (user_id, username, display_name, sequence) values ($1, $2, $3, $4)
             on conflict (user_id) do update
             set username = excluded.username, display_name = excluded.display_name, sequence = excluded.sequence
             where p.sequence < excluded.sequence`,
      values: [user.id, user.username, user.displayName, sequence],
    });
    return rowCount === 1;
  }
}

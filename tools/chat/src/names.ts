import type { ParleyClient } from '@parley/client';

/** Usernames by id, asked for once each and kept up to date for those who are watched. */
export class Names {
  private readonly known = new Map<string, Promise<string>>();

  constructor(private readonly client: ParleyClient) {
    client.realtime.on('user:changed', ({ user }) => this.known.set(user.id, Promise.resolve(user.username)));
  }

  /** What to call somebody; an erased account has no id. */
  of(userId: string | null): Promise<string> {
    if (userId === null) return Promise.resolve('(erased)');
    const known = this.known.get(userId) ?? this.ask(userId);
    this.known.set(userId, known);
    return known;
  }

  /** The id of exactly this username, in any case; undefined when nobody is called so. */
  async idOf(username: string): Promise<string | undefined> {
    const { items } = await this.client.api.listUsers({ query: { query: username } });
    return items.find((user) => user.username.toLowerCase() === username.toLowerCase())?.id;
  }

  private async ask(userId: string): Promise<string> {
    try {
      return (await this.client.api.getUser({ params: { userId } })).username;
    } catch {
      this.known.delete(userId);
      return userId.slice(0, 8);
    }
  }
}

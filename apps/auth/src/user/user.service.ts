import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ParleyError, limits, type Me, type User, type UsersQuery } from '@parley/contracts';
import { isUniqueViolation, readAgain } from '@parley/service';
import { In, type Repository } from 'typeorm';
import { NIL } from 'uuid';
import { Outbox, userChanged } from '../outbox/outbox';
import { decodePosition, encodePosition, type SearchPosition } from './user.cursor';
import { UserRow, toMe, toUser } from './user.entity';
import { asciiKey, nameKey } from './user.rules';

export interface UserPage {
  items: User[];
  nextCursor: string | null;
}

/** Profiles: what people see of each other. */
@Injectable()
export class UserService {
  constructor(
    @InjectRepository(UserRow) private readonly users: Repository<UserRow>,
    @Inject(Outbox) private readonly outbox: Outbox,
  ) {}

  /** @throws `unauthenticated` when the account is gone though its token still lives */
  async me(userId: string): Promise<Me> {
    const row = await this.users.findOneBy({ id: userId });
    if (!row) throw new ParleyError('unauthenticated', 'This account does not exist any more.');
    return toMe(row);
  }

  /**
   * Changes what is given. A change to what already is answers the same and tells nobody.
   *
   * @throws `conflict` when the username is taken
   */
  async update(userId: string, change: { username?: string; displayName?: string }): Promise<Me> {
    try {
      return await this.outbox.transaction(userId, async (manager, emit) => {
        const row = await manager.findOneBy(UserRow, { id: userId });
        if (!row) throw new ParleyError('unauthenticated', 'This account does not exist any more.');
        const username = change.username ?? row.username;
        const displayName = change.displayName ?? row.displayName;
        if (username === row.username && displayName === row.displayName) return toMe(row);
        const next = {
          username,
          usernameKey: asciiKey(username),
          displayName,
          displayNameKey: nameKey(displayName),
          updatedAt: new Date(),
        };
        await manager.update(UserRow, { id: userId }, next);
        Object.assign(row, next);
        emit(userChanged(toUser(row)));
        return toMe(row);
      });
    } catch (error) {
      throw isUniqueViolation(error, 'users_username') ? taken('username') : error;
    }
  }

  /** @throws `not_found` */
  async one(userId: string): Promise<User> {
    const row = await this.users.findOneBy({ id: userId });
    if (!row) throw new ParleyError('not_found', 'There is no such user.');
    return toUser(row);
  }

  /** Those that exist, in the order asked for, each once. */
  async byIds(ids: string[]): Promise<User[]> {
    const found = await readAgain(() => this.users.findBy({ id: In(ids) }));
    const rows = new Map(found.map((row) => [row.id, row]));
    return [...new Set(ids)].flatMap((id) => {
      const row = rows.get(id);
      return row ? [toUser(row)] : [];
    });
  }

  /**
   * Whose username begins with the text, by username; then whose display name alone does, by that. A page may hold fewer than
   * `limit`, even none: the last is the one without a cursor.
   *
   * Either half is read from an index on, where those who fit stand together, until somebody does not fit. To ask for
   * those alone would have the planner guess how many they are; where it is wrong, it reads all of them, or everybody before.
   */
  async search(text: string, page: Pick<UsersQuery, 'limit' | 'cursor'>): Promise<UserPage> {
    const limit = page.limit ?? limits.pageLimitDefault;
    const prefix = nameKey(text);
    const from = page.cursor === undefined ? undefined : decodePosition(page.cursor);
    const items: UserRow[] = [];
    if (from?.half !== 'displayNames') {
      const named = await this.fromUsername(prefix, from?.usernameKey, limit + 1);
      items.push(...named.slice(0, limit));
      const last = items.at(-1);
      if (last && named.length > limit)
        return pageOf(items, { half: 'usernames', usernameKey: last.usernameKey });
    }
    const displayed = await this.fromDisplayName(
      prefix,
      from?.half === 'displayNames' ? from : undefined,
      limit + 1,
    );
    // Not more of these are passed over here than had their place in the first half. So a page that holds all of that is full,
    // or the last; a later one may be short.
    const isNew = (row: UserRow) => !row.usernameKey.startsWith(prefix);
    let seen = 0;
    for (; seen < displayed.length && items.length < limit; seen++) {
      const row = displayed[seen] as UserRow;
      if (isNew(row)) items.push(row);
    }
    if (displayed.length <= limit && !displayed.slice(seen).some(isNew)) return pageOf(items, undefined);
    const last = displayed[seen - 1] ?? { displayNameKey: prefix, id: NIL };
    return pageOf(items, { half: 'displayNames', displayNameKey: last.displayNameKey, id: last.id });
  }

  private async fromUsername(prefix: string, after: string | undefined, limit: number): Promise<UserRow[]> {
    const select = this.users
      .createQueryBuilder('user')
      .where('user.usernameKey >= :prefix', { prefix })
      .orderBy('user.usernameKey')
      .limit(limit);
    if (after !== undefined) select.andWhere('user.usernameKey > :after', { after });
    return untilOther(await select.getMany(), (row) => row.usernameKey.startsWith(prefix));
  }

  private async fromDisplayName(
    prefix: string,
    after: { displayNameKey: string; id: string } | undefined,
    limit: number,
  ): Promise<UserRow[]> {
    const select = this.users
      .createQueryBuilder('user')
      .where('user.displayNameKey >= :prefix', { prefix })
      .orderBy('user.displayNameKey')
      .addOrderBy('user.id')
      .limit(limit);
    if (after)
      select.andWhere('(user.displayNameKey, user.id) > (:after, :id)', {
        after: after.displayNameKey,
        id: after.id,
      });
    return untilOther(await select.getMany(), (row) => row.displayNameKey.startsWith(prefix));
  }
}

function untilOther(rows: UserRow[], fits: (row: UserRow) => boolean): UserRow[] {
  const end = rows.findIndex((row) => !fits(row));
  return end < 0 ? rows : rows.slice(0, end);
}

function pageOf(rows: UserRow[], last: SearchPosition | undefined): UserPage {
  return { items: rows.map(toUser), nextCursor: last ? encodePosition(last) : null };
}

/** Registration cannot hide that a name or address is in use; nothing else tells. */
export function taken(path: 'email' | 'username'): ParleyError {
  return new ParleyError('conflict', `${path}: is taken`, { errors: [{ path, message: 'is taken' }] });
}

import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ParleyError, limits, username, type Me, type User, type UsersQuery } from '@parley/contracts';
import { isUniqueViolation, readAgain } from '@parley/service';
import { In, type Repository } from 'typeorm';
import { Outbox, userChanged } from '../outbox/outbox';
import { decodeCursor, encodeCursor } from '../paging';
import { UserRow, toMe, toUser } from './user.entity';
import { asciiKey, nameKey, prefixPattern } from './user.rules';

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

  /** Whose username or display name begins with the text, by username. */
  async search(text: string, page: Pick<UsersQuery, 'limit' | 'cursor'>): Promise<UserPage> {
    const limit = page.limit ?? limits.pageLimitDefault;
    const pattern = prefixPattern(nameKey(text));
    const select = this.users
      .createQueryBuilder('user')
      .where('(user.usernameKey like :pattern or user.displayNameKey like :pattern)', { pattern })
      .orderBy('user.usernameKey')
      .limit(limit + 1);
    if (page.cursor)
      select.andWhere('user.usernameKey > :after', { after: decodeCursor(page.cursor, username) });
    const rows = await select.getMany();
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      items: rows.slice(0, limit).map(toUser),
      nextCursor: last ? encodeCursor(last.usernameKey) : null,
    };
  }
}

/** Registration cannot hide that a name or address is in use; nothing else tells. */
export function taken(path: 'email' | 'username'): ParleyError {
  return new ParleyError('conflict', `${path}: is taken`, { errors: [{ path, message: 'is taken' }] });
}

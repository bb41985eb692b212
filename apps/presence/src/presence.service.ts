import { Injectable } from '@nestjs/common';
import { ParleyError, type PresenceEntry, type PresenceStatus } from '@parley/contracts';
import { PresenceStore } from './presence.store.redis';

/** More ids than a socket may watch: other services ask for whole batches. */
const IDS_MAX = 2000;

/**
 * Reads and choices. Whoever is signed in may see everybody's presence: a deployment serves one organisation. Nobody may
 * set another's, since the user id comes from the caller's own token.
 */
@Injectable()
export class PresenceService {
  constructor(private readonly store: PresenceStore) {}

  /** One entry for each different id, in order. @throws ParleyError `invalid_request` above 2,000 ids. */
  async get(userIds: string[]): Promise<{ items: PresenceEntry[] }> {
    const ids = [...new Set(userIds)];
    if (ids.length > IDS_MAX)
      throw new ParleyError('invalid_request', `userIds: names more than ${IDS_MAX}.`);
    return { items: ids.length === 0 ? [] : await this.store.read(ids) };
  }

  /** The choice is kept until the next one; it shows only while a socket is open. Returns what others see. */
  async set(userId: string, status: Exclude<PresenceStatus, 'offline'>): Promise<{ items: PresenceEntry[] }> {
    return { items: [await this.store.choose(userId, status)] };
  }
}

import { ParleyError } from '@parley/contracts';
import type { Requester } from '@parley/broker';
import { RecentMap } from '@parley/service';

const KNOWN = 50_000;

/** Whether accounts exist: auth knows, and what it said of an existing one is remembered (accounts are not unmade). */
export class UserDirectory {
  private readonly known = new RecentMap<string, true>(KNOWN);

  constructor(private readonly requester: Requester) {}

  /** @throws ParleyError `not_found` naming the first id that is nobody's; `unavailable` when auth cannot be asked */
  async check(userIds: string[]): Promise<void> {
    const unknown = userIds.filter((id) => !this.known.has(id));
    if (unknown.length === 0) return;
    const { users } = await this.requester.query('auth.users', { ids: unknown });
    for (const { id } of users) this.known.set(id, true);
    const missing = unknown.find((id) => !this.known.has(id));
    if (missing !== undefined) throw new ParleyError('not_found', `There is no user ${missing}.`);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { getLogger } from '@parley/service';
import type { Floors } from '../feed/floors';
import type { RecentRows } from '../feed/recent-rows';
import type { Rooms } from '../feed/rooms';
import { joinersOf, leaversOf } from '../feed/row.effects';
import type { Session } from '../socket/session';
import type { Sessions } from '../socket/sessions';
import type { JoinService, Memberships } from './join.service';

const log = getLogger('Refresh');

/** Partitions jump one after the other: one round serves them all. */
const COLLECT_MS = 200;
const CONCURRENCY = 8;
const RETRY_MS = 1_000;
/** Over how long those come back who cannot be told what to sync. */
const COME_BACK_MS = 5_000;

/**
 * After this node went on from the head of a partition, its sockets' rooms may be wrong and events are missing. Reads the
 * memberships of all users anew, mends the rooms, and tells the sockets what to sync.
 */
export class RefreshService {
  private pending?: Set<string>;
  private running = false;

  constructor(
    private readonly sessions: Sessions,
    private readonly rooms: Rooms,
    private readonly recent: RecentRows,
    private readonly floors: Floors,
    private readonly joins: JoinService,
  ) {}

  /**
   * All sockets need it; those that come later join with the present state anyway, and whoever is asking for it now asks
   * again. Until then they hear nothing of the partition: they may have been taken out of any of its rooms.
   */
  schedule(partition: number): void {
    this.recent.skip();
    for (const session of this.sessions.all()) if (session.isLive) this.floors.doubt(session, partition);
    const isWaiting = this.pending !== undefined;
    this.pending = new Set(this.sessions.users());
    if (!isWaiting && !this.running) setTimeout(() => void this.run(), COLLECT_MS).unref();
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.pending) {
      const users = this.pending;
      this.pending = undefined;
      log.warn({ users: users.size }, 'Too many rows were missed; the memberships are read anew.');
      await Promise.all(Array.from({ length: CONCURRENCY }, () => this.work(users)));
    }
    this.running = false;
  }

  private async work(users: Set<string>): Promise<void> {
    for (const userId of users) {
      users.delete(userId);
      if (this.sessions.countOf(userId) === 0) continue;
      try {
        await this.joins.withMemberships(userId, Promise.resolve(), (answer, floor) =>
          this.mend(userId, answer, floor),
        );
      } catch (error) {
        log.warn({ err: error }, 'The memberships of a user cannot be read; trying again.');
        users.add(userId);
        await delay(RETRY_MS);
      }
    }
  }

  private mend(userId: string, answer: Memberships, floor: readonly number[]): void {
    const memberOf = new Set(answer.memberOf);
    const known = new Map(answer.conversations.map(({ id, version }) => [id, version]));
    for (const row of this.recent.concerning(userId, memberOf, floor)) {
      const { conversationId, version } = row;
      if (leaversOf(row)?.includes(userId) ?? true) memberOf.delete(conversationId);
      if (joinersOf(row).includes(userId)) memberOf.add(conversationId);
      // It may have reached nobody.
      if (version !== null) known.set(conversationId, Math.max(version, known.get(conversationId) ?? 0));
    }
    const versions = Object.fromEntries([...known].filter(([id]) => memberOf.has(id)));
    for (const session of [...this.sessions.of(userId)]) {
      if (!session.isLive) continue;
      if (answer.nextCursor !== null || hasMissedAnEnd(session, memberOf)) {
        // The list names the most active alone, and any other may have changed. Or the account's cursor is past what is to be
        // told. After the next `ready` all are synced.
        session.close('internal', Math.floor(Math.random() * COME_BACK_MS));
        continue;
      }
      this.move(session, memberOf);
      this.floors.settle(session, floor);
      // What the user left or joined meanwhile is told by the account part of `sync`.
      session.emit('account:changed', {});
      session.emit('position', { versions });
    }
  }

  private move(session: Session, memberOf: ReadonlySet<string>): void {
    for (const id of [...session.conversations]) if (!memberOf.has(id)) this.rooms.leave(session, id);
    for (const id of memberOf) if (!session.conversations.has(id)) this.rooms.join(session, id);
  }
}

/** Whether a `sync` that came before the jump would have told that one of the conversations is over. */
function hasMissedAnEnd({ withheld }: Session, memberOf: ReadonlySet<string>): boolean {
  return [...(withheld ?? [])].some((id) => !memberOf.has(id));
}

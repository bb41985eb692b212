import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Requester } from '@parley/broker';
import { counter, getLogger, RecentMap } from '@parley/service';

const log = getLogger('PresenceLookup');

/** An answer is good for so long. */
const FRESH_MS = 1_000;
/** Those in use are asked for again, in the background, before that: the feed seldom waits. */
const REFRESH_MS = 500;
/** While presence does not answer, an older answer is still better than none. */
const STALE_MS_MAX = 30_000;
/**
 * A question that is not answered fails after 2 s. The feed waits that long, since under load a late answer is worth more
 * than an entry for everybody; then it goes on without asking for a while. A refusal that comes at once costs nothing.
 */
const PAUSE_MS = 5_000;
const SLOW_MS = 500;
/** Remembered at least; at most twice as many. */
const USERS = 100_000;
const IDS_PER_QUERY = 1_000;

/** `since`: when an offline user was last seen, in ms since 1970; null for never, as far as presence remembers. */
export type Presence =
  { state: 'connected' } | { state: 'offline'; since: number | null } | { state: 'unknown' };

interface Known {
  presence: Presence;
  askedAt: number;
}

const questions = counter('notification_presence_queries_total', 'Questions to presence, by outcome.', [
  'outcome',
]);

const unknown: Presence = { state: 'unknown' };

/**
 * Whether users are connected, as of about a second ago. Presence that is dead holds the feed up for a moment only: who was
 * not answered for is unknown. `away` and `dnd` are connected: those have the message.
 */
@Injectable()
export class PresenceLookup implements OnApplicationShutdown {
  private readonly known = new RecentMap<string, Known>(USERS);
  /** Users that were looked up since they were last asked for. */
  private inUse = new Set<string>();
  private refreshing = false;
  private pausedUntil = 0;
  private timer?: NodeJS.Timeout;

  constructor(private readonly requester: Requester) {}

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
  }

  /** Whether the user was connected a moment ago. Costs two look-ups in memory. */
  isConnected(userId: string): boolean {
    const known = this.known.get(userId);
    if (!known || performance.now() - known.askedAt > FRESH_MS) return false;
    this.use(userId);
    return known.presence.state === 'connected';
  }

  /** Asks for those that are not known freshly, in as few questions as may be. Never rejects. */
  async of(userIds: ReadonlySet<string>): Promise<(userId: string) => Presence> {
    const now = performance.now();
    const missing = [...userIds].filter((userId) => {
      this.use(userId);
      const known = this.known.get(userId);
      return !known || now - known.askedAt > FRESH_MS;
    });
    if (missing.length > 0 && now >= this.pausedUntil) await this.ask(missing);
    return (userId) => {
      const known = this.known.get(userId);
      return known && performance.now() - known.askedAt <= STALE_MS_MAX ? known.presence : unknown;
    };
  }

  private use(userId: string): void {
    this.inUse.add(userId);
    if (this.refreshing) return;
    this.refreshing = true;
    this.timer = setTimeout(() => void this.refresh(), REFRESH_MS);
    this.timer.unref();
  }

  private async refresh(): Promise<void> {
    const userIds = [...this.inUse];
    this.inUse = new Set();
    if (performance.now() >= this.pausedUntil) await this.ask(userIds);
    this.refreshing = false;
  }

  /** Never rejects: a failure is counted and leaves what was known. */
  private async ask(userIds: string[]): Promise<void> {
    const parts: string[][] = [];
    for (let i = 0; i < userIds.length; i += IDS_PER_QUERY) parts.push(userIds.slice(i, i + IDS_PER_QUERY));
    await Promise.all(
      parts.map(async (part) => {
        const askedAt = performance.now();
        try {
          const { items } = await this.requester.query('presence.get', { userIds: part });
          for (const { userId, status, lastSeenAt } of items) {
            const since = lastSeenAt === null ? null : Date.parse(lastSeenAt);
            const presence: Presence =
              status === 'offline' ? { state: 'offline', since } : { state: 'connected' };
            this.known.set(userId, { presence, askedAt });
          }
          questions.inc({ outcome: 'answered' });
        } catch (error) {
          questions.inc({ outcome: 'failed' });
          const now = performance.now();
          if (now - askedAt > SLOW_MS) this.pausedUntil = now + PAUSE_MS;
          log.debug({ err: error }, 'Presence does not answer.');
        }
      }),
    );
  }
}

import type { ConnectionEvent, PresenceEntry, PresenceStatus } from '@parley/contracts';
import type { Redis } from 'ioredis';
import { applyScript, chooseScript, dropScript, turnScript } from './presence.scripts';

const ROOT = '{presence}';
/** A script holds up the whole of Redis while it runs: this many events take well below a millisecond each ten. */
const EVENTS_PER_SCRIPT = 200;

type State = [up: string | null, chosen: string | null, seen: string | null];

interface Scripts {
  presenceApply(root: string, ...args: (string | number)[]): Promise<number>;
  presenceChoose(root: string, userId: string, status: string): Promise<State>;
  presenceDrop(root: string, node: string, ageMs: number, limit: number): Promise<number>;
  presenceTurn(root: string, told: string, limit: number): Promise<(string | null)[]>;
}

/** What changed since the last turn; `revision` is to be given to the next turn once the changes have been told. */
export interface Changes {
  items: PresenceEntry[];
  revision: string;
}

/**
 * Who is connected where, what they chose to show, and when they were last seen. All methods may be called by several
 * instances at once and repeated; all reject with ioredis's error when Redis is away.
 */
export class PresenceStore {
  private readonly scripts: Scripts;

  constructor(
    private readonly redis: Redis,
    private readonly closeGraceMs: number,
  ) {
    const define = (name: string, lua: string) => redis.defineCommand(name, { numberOfKeys: 1, lua });
    define('presenceApply', applyScript);
    define('presenceChoose', chooseScript);
    define('presenceDrop', dropScript);
    define('presenceTurn', turnScript);
    this.scripts = redis as unknown as Scripts;
  }

  /** Takes what nodes tell about their users; what is older than what is known is ignored. Returns how many counted. */
  async apply(events: ConnectionEvent[]): Promise<number> {
    let taken = 0;
    for (let i = 0; i < events.length; i += EVENTS_PER_SCRIPT) {
      const args = events
        .slice(i, i + EVENTS_PER_SCRIPT)
        .flatMap((event) => [event.node, event.sequence, event.userId, event.sockets]);
      taken += await this.scripts.presenceApply(ROOT, this.closeGraceMs, ...args);
    }
    return taken;
  }

  /** Keeps what the user wants to show while connected, and gives what others see now. */
  async choose(userId: string, status: Exclude<PresenceStatus, 'offline'>): Promise<PresenceEntry> {
    return toEntry(userId, await this.scripts.presenceChoose(ROOT, userId, status));
  }

  /** One entry for each id, in the order of the ids; somebody unknown is offline and was never seen. */
  async read(userIds: string[]): Promise<PresenceEntry[]> {
    const pipeline = this.redis.pipeline();
    for (const userId of userIds) pipeline.hmget(`${ROOT}:user:${userId}`, 'up', 'chosen', 'seen');
    const results = (await pipeline.exec()) ?? [];
    return userIds.map((userId, i) => {
      const [error, state] = results[i] ?? [new Error('Connection is closed.')];
      if (error) throw error;
      return toEntry(userId, state as State);
    });
  }

  /** Nodes of which connections, open or lately closed, are held. */
  nodes(): Promise<string[]> {
    return this.redis.smembers(`${ROOT}:nodes`);
  }

  /** How many users the node has told about. */
  usersOf(node: string): Promise<number> {
    return this.redis.zcard(`${ROOT}:node:${node}`);
  }

  /** Forgets at most `limit` connections of the node that were last announced `ageMs` ago or earlier. */
  drop(node: string, ageMs: number, limit: number): Promise<number> {
    return this.scripts.presenceDrop(ROOT, node, ageMs, limit);
  }

  /** Ends absences that have begun, forgets what was told up to that revision, and gives the next changes. */
  async turn(told: string, limit: number): Promise<Changes> {
    const flat = await this.scripts.presenceTurn(ROOT, told, limit);
    const items: PresenceEntry[] = [];
    let revision = told;
    for (let i = 0; i < flat.length; i += 5) {
      const [userId, at, ...state] = flat.slice(i, i + 5);
      items.push(toEntry(userId as string, state as State));
      revision = at as string;
    }
    return { items, revision };
  }
}

function toEntry(userId: string, [up, chosen, seen]: State): PresenceEntry {
  return {
    userId,
    status: up === null ? 'offline' : ((chosen as PresenceStatus | null) ?? 'online'),
    lastSeenAt: seen === null ? null : new Date(Number(seen)).toISOString(),
  };
}

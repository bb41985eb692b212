import type { DigestEnvelope } from '@parley/contracts';
import type { Session } from '../socket/session';
import type { NodeLog } from './node-log';
import type { Rooms } from './rooms';

const SOCKETS_PER_SLICE = 200;

/**
 * Tells each socket the versions of its own conversations that changed lately. Digests come from the owners straight to
 * every node, so they show what was lost on the way that events take.
 */
export class Digest {
  constructor(
    private readonly rooms: Rooms,
    private readonly log: NodeLog,
  ) {}

  hear({ epoch, versions }: DigestEnvelope): void {
    if (epoch !== this.log.epoch) return;
    const bySession = new Map<Session, string[]>();
    for (const conversationId of Object.keys(versions)) {
      for (const session of this.rooms.members(conversationId) ?? []) {
        const ids = bySession.get(session);
        if (ids) ids.push(conversationId);
        else bySession.set(session, [conversationId]);
      }
    }
    this.tell([...bySession], versions, 0);
  }

  /** In slices, so that many sockets hold up nothing else. */
  private tell(all: [Session, string[]][], versions: Record<string, number>, from: number): void {
    for (const [session, ids] of all.slice(from, from + SOCKETS_PER_SLICE)) {
      // A conversation may have been left since.
      const own = ids.filter((id) => session.conversations.has(id)).map((id) => [id, versions[id] ?? 0]);
      if (own.length > 0)
        session.emit('position', { versions: Object.fromEntries(own) as Record<string, number> });
    }
    const next = from + SOCKETS_PER_SLICE;
    if (next < all.length) setImmediate(() => this.tell(all, versions, next));
  }
}

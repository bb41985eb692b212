import type { Session } from '../socket/session';
import type { NodeLog } from './node-log';

/**
 * The sockets whose `ready` reflects more than this node has applied. Rows up to a socket's floor are old news for it, or
 * were never meant for it; the floor goes as soon as the node is past it.
 */
export class Floors {
  private readonly sessions = new Set<Session>();

  raise(session: Session, floor: readonly number[], log: NodeLog): void {
    if (!isAbove(floor, log.positions())) return;
    session.floor = floor;
    this.sessions.add(session);
  }

  /** Called now and then. */
  sweep(log: NodeLog): void {
    if (this.sessions.size === 0) return;
    const positions = log.positions();
    for (const session of this.sessions) {
      if (session.floor && session.state !== 'closing' && isAbove(session.floor, positions)) continue;
      session.floor = null;
      this.sessions.delete(session);
    }
  }
}

function isAbove(floor: readonly number[], positions: readonly number[]): boolean {
  return floor.some((position, partition) => position > (positions[partition] ?? 0));
}

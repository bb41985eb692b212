import { PARTITIONS } from '@parley/contracts';
import type { Session } from '../socket/session';
import type { NodeLog } from './node-log';

/** Of a partition whose rows are not for the socket until its rooms are mended. */
const UNKNOWN = Infinity;

/**
 * The sockets whose `ready` reflects more than this node has applied. Rows up to a socket's floor are old news for it, or
 * were never meant for it; the floor goes as soon as the node is past it. Of a partition that jumped no row is for a
 * socket, for it may have been taken out of any room, until its memberships were read anew.
 */
export class Floors {
  private readonly sessions = new Set<Session>();

  raise(session: Session, floor: readonly number[], log: NodeLog): void {
    if (!isAbove(floor, log.positions())) return;
    session.floor = floor;
    this.sessions.add(session);
  }

  /** The partition jumped: who is in its rooms is not known. */
  doubt(session: Session, partition: number): void {
    const floor = session.floor ? [...session.floor] : new Array<number>(PARTITIONS).fill(0);
    floor[partition] = UNKNOWN;
    session.floor = floor;
    this.sessions.add(session);
  }

  /** The rooms of partitions that jumped are those that were read with these positions. */
  settle(session: Session, read: readonly number[]): void {
    if (!session.floor) return;
    session.floor = session.floor.map((position, partition) =>
      position === UNKNOWN ? (read[partition] ?? 0) : position,
    );
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

/** Whether the partition jumped and the socket's rooms in it are not mended yet. */
export function isInDoubt({ floor }: Session, partition: number): boolean {
  return floor !== null && floor[partition] === UNKNOWN;
}

function isAbove(floor: readonly number[], positions: readonly number[]): boolean {
  return floor.some((position, partition) => position > (positions[partition] ?? 0));
}

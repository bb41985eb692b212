import type { Config } from '../config';
import type { Session } from './session';
import type { EventPacket } from './wire';

export type SessionLimits = Pick<
  Config,
  'SOCKET_EVENTS_PER_SECOND' | 'SOCKET_EVENTS_BURST' | 'SOCKET_OUTBOUND_BYTES'
>;

type EventListener = (session: Session, packet: EventPacket) => void;
type CountListener = (userId: string, sockets: number) => void;

/** Writing to many sockets must not hold up the reading from others. */
const SOCKETS_PER_TURN = 1_000;

/** Every socket of this node, by user. */
export class Sessions {
  private readonly byUser = new Map<string, Set<Session>>();
  private eventListener?: EventListener;
  private countListener?: CountListener;
  private total = 0;
  private readonly unflushed: Session[] = [];

  constructor(readonly limits: SessionLimits) {}

  /** Who handles the clients' events. */
  handleEvents(listener: EventListener): void {
    this.eventListener = listener;
  }

  /** Told whenever a user has one socket more or less. */
  watchCounts(listener: CountListener): void {
    this.countListener = listener;
  }

  add(session: Session): void {
    const ofUser = this.byUser.get(session.userId) ?? new Set();
    this.byUser.set(session.userId, ofUser);
    ofUser.add(session);
    this.total += 1;
    this.countListener?.(session.userId, ofUser.size);
  }

  remove(session: Session): boolean {
    const ofUser = this.byUser.get(session.userId);
    if (!ofUser?.delete(session)) return false;
    if (ofUser.size === 0) this.byUser.delete(session.userId);
    this.total -= 1;
    this.countListener?.(session.userId, ofUser.size);
    return true;
  }

  /** The session has something to send at the end of this turn of the event loop. */
  flushSoon(session: Session): void {
    if (this.unflushed.length === 0) setImmediate(() => this.flush());
    this.unflushed.push(session);
  }

  onEvent(session: Session, packet: EventPacket): void {
    this.eventListener?.(session, packet);
  }

  /** All sockets of a user on this node, those that are joining too. */
  of(userId: string): ReadonlySet<Session> {
    return this.byUser.get(userId) ?? NONE;
  }

  /** The user's open sockets on this node. */
  countOf(userId: string): number {
    return this.byUser.get(userId)?.size ?? 0;
  }

  get size(): number {
    return this.total;
  }

  users(): IterableIterator<string> {
    return this.byUser.keys();
  }

  *all(): Generator<Session> {
    for (const ofUser of this.byUser.values()) yield* ofUser;
  }

  private flush(): void {
    for (const session of this.unflushed.splice(0, SOCKETS_PER_TURN)) session.flush();
    if (this.unflushed.length > 0) setImmediate(() => this.flush());
  }
}

const NONE: ReadonlySet<Session> = new Set();

import { ParleyError, serverEvents, type ServerPayload } from '@parley/contracts';
import type { Rooms } from '../feed/rooms';
import type { Cluster } from '../socket/cluster';
import { eventFrame } from '../socket/frames';
import type { Session } from '../socket/session';

const noteSchema = serverEvents['typing:changed'];
type Note = ServerPayload<'typing:changed'>;

interface Typist {
  session: Session;
  conversationId: string;
  /** Until when it counts without being said again. */
  untilMs: number;
  /** When the others were told last. */
  toldAtMs: number;
}

const TYPING = 'typing';
const LASTS_MS = 6_000;
/** Said again more often than that, it is not passed on. */
const REPEAT_MS = 3_000;
const TYPISTS_MAX = 50_000;
/** Of more than so many in one conversation, begun on one node, nobody reads the names. The others come when one ends. */
const SHOWN_MAX = 10;

/** Who is writing where. Passed to the others in the room, on all nodes, and forgotten after 6 s. */
export class Typing {
  private readonly typists = new Map<string, Typist>();
  /** Typists of this node by conversation. */
  private readonly shown = new Map<string, number>();

  constructor(
    private readonly rooms: Rooms,
    private readonly cluster: Cluster,
  ) {
    cluster.on(TYPING, (body) => {
      const note = noteSchema.safeParse(body).data;
      if (note) this.tellHere(note);
    });
  }

  /** @throws ParleyError `not_found` outside the room */
  start(session: Session, conversationId: string): void {
    assertInside(session, conversationId);
    const now = Date.now();
    const key = keyOf(session, conversationId);
    const known = this.typists.get(key);
    if (!known && (this.typists.size >= TYPISTS_MAX || this.shownIn(conversationId) >= SHOWN_MAX)) return;
    if (!known) this.shown.set(conversationId, this.shownIn(conversationId) + 1);
    const isNews = !known || now - known.toldAtMs >= REPEAT_MS;
    const toldAtMs = isNews ? now : known.toldAtMs;
    // Kept in the order in which they end.
    this.typists.delete(key);
    this.typists.set(key, { session, conversationId, untilMs: now + LASTS_MS, toldAtMs });
    if (isNews) this.tell({ conversationId, userId: session.userId, typing: true });
  }

  /** @throws ParleyError `not_found` outside the room */
  stop(session: Session, conversationId: string): void {
    assertInside(session, conversationId);
    if (!this.end(keyOf(session, conversationId), conversationId)) return;
    this.tell({ conversationId, userId: session.userId, typing: false });
  }

  /** Called now and then: ends what was not said again, and what closed sockets or former members began. */
  sweep(nowMs: number): void {
    for (const [key, { session, conversationId, untilMs }] of this.typists) {
      const isInside = session.isLive && session.conversations.has(conversationId);
      if (isInside && untilMs > nowMs) continue;
      this.end(key, conversationId);
      this.tell({ conversationId, userId: session.userId, typing: false });
    }
  }

  private shownIn(conversationId: string): number {
    return this.shown.get(conversationId) ?? 0;
  }

  /** Returns whether it had begun. */
  private end(key: string, conversationId: string): boolean {
    if (!this.typists.delete(key)) return false;
    const left = this.shownIn(conversationId) - 1;
    if (left > 0) this.shown.set(conversationId, left);
    else this.shown.delete(conversationId);
    return true;
  }

  private tell(note: Note): void {
    this.cluster.send(TYPING, note);
    this.tellHere(note);
  }

  private tellHere(note: Note): void {
    const room = this.rooms.members(note.conversationId);
    if (!room) return;
    const frame = eventFrame('typing:changed', note);
    for (const session of room) {
      // Nobody needs it who is late with the rest.
      if (session.userId !== note.userId && session.isKeepingUp) session.write(frame);
    }
  }
}

function keyOf(session: Session, conversationId: string): string {
  return `${session.userId}/${conversationId}`;
}

function assertInside(session: Session, conversationId: string): void {
  if (!session.conversations.has(conversationId))
    throw new ParleyError('not_found', 'There is no such conversation.');
}

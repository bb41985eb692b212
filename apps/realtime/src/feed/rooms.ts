import type { Session } from '../socket/session';

/** The id is one string for all its sessions: each `ready` is parsed from another answer, with strings of its own. */
interface Room {
  readonly id: string;
  readonly sessions: Set<Session>;
}

/** The view is behind for moments, in which nobody leaves so many conversations. */
const GONE_MAX = 500;

/**
 * Which sockets of this node a conversation's events reach. Socket.IO's own rooms name sockets by id; a room of 100 is
 * served once a batch, so the references themselves are kept.
 */
export class Rooms {
  private readonly byConversation = new Map<string, Room>();

  join(session: Session, conversationId: string): void {
    let room = this.byConversation.get(conversationId);
    if (!room) {
      room = { id: conversationId, sessions: new Set() };
      this.byConversation.set(conversationId, room);
    }
    room.sessions.add(session);
    session.conversations.add(room.id);
    session.gone?.delete(conversationId);
    session.ahead?.release(conversationId);
  }

  leave(session: Session, conversationId: string): void {
    const room = this.byConversation.get(conversationId);
    if (!room?.sessions.delete(session)) return;
    if (room.sessions.size === 0) this.byConversation.delete(conversationId);
    session.conversations.delete(conversationId);
    session.left?.add(conversationId);
    session.withheld?.delete(conversationId);
    if (session.state !== 'closing') remember(session, room.id);
  }

  leaveAll(session: Session): void {
    for (const conversationId of [...session.conversations]) this.leave(session, conversationId);
  }

  /** Undefined when nobody here is in it. */
  members(conversationId: string): ReadonlySet<Session> | undefined {
    return this.byConversation.get(conversationId)?.sessions;
  }
}

function remember(session: Session, conversationId: string): void {
  const gone = (session.gone ??= new Set());
  gone.add(conversationId);
  const [oldest] = gone;
  if (gone.size > GONE_MAX && oldest !== undefined) gone.delete(oldest);
}

import type { Session } from '../socket/session';

/**
 * Which sockets of this node a conversation's events reach. Socket.IO's own rooms name sockets by id; a room of 100 is
 * served once a batch, so the references themselves are kept.
 */
export class Rooms {
  private readonly byConversation = new Map<string, Set<Session>>();

  join(session: Session, conversationId: string): void {
    const room = this.byConversation.get(conversationId) ?? new Set();
    this.byConversation.set(conversationId, room);
    room.add(session);
    session.conversations.add(conversationId);
  }

  leave(session: Session, conversationId: string): void {
    const room = this.byConversation.get(conversationId);
    if (!room?.delete(session)) return;
    if (room.size === 0) this.byConversation.delete(conversationId);
    session.conversations.delete(conversationId);
    session.left?.add(conversationId);
  }

  leaveAll(session: Session): void {
    for (const conversationId of [...session.conversations]) this.leave(session, conversationId);
  }

  /** Undefined when nobody here is in it. */
  members(conversationId: string): ReadonlySet<Session> | undefined {
    return this.byConversation.get(conversationId);
  }
}

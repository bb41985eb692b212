import type { Session } from './session';

/** A node catches up within moments, in which few notifications come. */
const KEPT_MAX = 8;
/** What is older is of a time before the socket was let in: a node that is so far behind lets sockets sync. */
const KEPT_MS = 30_000;

interface Ahead {
  conversationId: string;
  frame: Buffer;
  keptAtMs: number;
}

/**
 * Frames of one socket about conversations that this node has not let it into yet. What other services tell may be ahead
 * of the rows of the log here; nothing else tells whether a user is in a conversation, or has been removed from it.
 */
export class AheadFrames {
  private kept: Ahead[] = [];

  constructor(private readonly session: Session) {}

  keep(conversationId: string, frame: Buffer): void {
    this.kept.push({ conversationId, frame, keptAtMs: performance.now() });
    if (this.kept.length > KEPT_MAX) this.kept.shift();
  }

  /** The socket has been let in: what is about it follows the events of this turn, which tell the socket so. */
  release(conversationId: string): void {
    const isOf = (each: Ahead) => each.conversationId === conversationId;
    const due = this.kept.filter(isOf);
    if (due.length === 0) return;
    this.kept = this.kept.filter((each) => !isOf(each));
    const { session } = this;
    const since = performance.now() - KEPT_MS;
    queueMicrotask(() => {
      if (!session.conversations.has(conversationId)) return;
      for (const { frame, keptAtMs } of due) if (keptAtMs > since) session.write(frame);
    });
  }
}

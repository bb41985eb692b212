import type { Requester } from '@parley/broker';
import { limits, ParleyError, type PresenceEntry } from '@parley/contracts';
import type { Session } from '../socket/session';

interface Question {
  userIds: ReadonlySet<string>;
  /** What changed while the question is under way: newer than its answer may be. */
  changes: Map<string, PresenceEntry>;
}

/** Which sockets of this node watch whose presence. */
export class PresenceWatch {
  private readonly watchers = new Map<string, Set<Session>>();
  private readonly questions = new Set<Question>();

  constructor(private readonly requester: Requester) {}

  /** Answers with how they are now. @throws ParleyError `invalid_request` above the bound, `unavailable` */
  async add(session: Session, userIds: string[]): Promise<{ items: PresenceEntry[] }> {
    const watched = (session.watched ??= new Set());
    const added = [...new Set(userIds)].filter((userId) => !watched.has(userId));
    if (watched.size + added.length > limits.presenceWatchMax) {
      throw new ParleyError('invalid_request', `A socket watches at most ${limits.presenceWatchMax} users.`);
    }
    for (const userId of added) this.watch(session, watched, userId);
    try {
      return { items: await this.read(userIds) };
    } catch (error) {
      for (const userId of added) this.unwatch(session, userId);
      throw error;
    }
  }

  remove(session: Session, userIds: string[]): { items: PresenceEntry[] } {
    for (const userId of userIds) this.unwatch(session, userId);
    return { items: [] };
  }

  /** The socket is gone. */
  forget(session: Session): void {
    for (const userId of session.watched ?? []) this.unwatch(session, userId);
    session.watched = null;
  }

  /** Changes as presence tells them, many at once. */
  hear(items: PresenceEntry[]): void {
    for (const item of items) {
      for (const question of this.questions) {
        if (question.userIds.has(item.userId)) question.changes.set(item.userId, item);
      }
    }
    this.tell(items);
  }

  /** Changes may have been missed: asks for all who are watched and tells their watchers. */
  async reread(): Promise<void> {
    const userIds = [...this.watchers.keys()];
    for (let i = 0; i < userIds.length; i += limits.presenceWatchMax)
      this.tell(await this.read(userIds.slice(i, i + limits.presenceWatchMax)));
  }

  watching(userId: string): Iterable<Session> {
    return this.watchers.get(userId) ?? [];
  }

  /** How they are: as presence answers, or has told since it was asked. */
  private async read(userIds: string[]): Promise<PresenceEntry[]> {
    const question: Question = { userIds: new Set(userIds), changes: new Map() };
    this.questions.add(question);
    try {
      const { items } = await this.requester.query('presence.get', { userIds });
      return items.map((item) => question.changes.get(item.userId) ?? item);
    } finally {
      this.questions.delete(question);
    }
  }

  private tell(items: PresenceEntry[]): void {
    const bySession = new Map<Session, PresenceEntry[]>();
    for (const item of items) {
      for (const session of this.watchers.get(item.userId) ?? []) {
        const own = bySession.get(session);
        if (own) own.push(item);
        else bySession.set(session, [item]);
      }
    }
    for (const [session, own] of bySession) session.emit('presence:changed', { items: own });
  }

  private watch(session: Session, watched: Set<string>, userId: string): void {
    watched.add(userId);
    const watchers = this.watchers.get(userId) ?? new Set();
    this.watchers.set(userId, watchers);
    watchers.add(session);
  }

  private unwatch(session: Session, userId: string): void {
    session.watched?.delete(userId);
    const watchers = this.watchers.get(userId);
    if (watchers?.delete(session) && watchers.size === 0) this.watchers.delete(userId);
  }
}

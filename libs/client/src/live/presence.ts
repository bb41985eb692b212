import { limits, type PresenceEntry } from '@parley/contracts';
import { Emitter } from '../emitter';
import type { Logger } from '../environment';

type Ask = (
  event: 'presence:watch' | 'presence:unwatch',
  userIds: string[],
) => Promise<{ items: PresenceEntry[] }>;

/**
 * Who of the watched people is online. Watching is counted, so that two parts of an application may watch the same
 * person; the list is told again after every reconnection.
 */
export class Presence extends Emitter<{ changed: { items: PresenceEntry[] } }> {
  private readonly watchers = new Map<string, number>();
  private readonly entries = new Map<string, PresenceEntry>();

  constructor(
    private readonly ask: Ask,
    private readonly logger: Logger,
  ) {
    super();
  }

  /** Returns the function that ends the watch. At most `limits.presenceWatchMax` people at a time. */
  watch(userIds: string[]): () => void {
    const distinct = [...new Set(userIds)];
    const added = distinct.filter((userId) => !this.watchers.has(userId));
    if (this.watchers.size + added.length > limits.presenceWatchMax) {
      throw new RangeError(`No more than ${limits.presenceWatchMax} people can be watched.`);
    }
    for (const userId of distinct) this.watchers.set(userId, (this.watchers.get(userId) ?? 0) + 1);
    this.send('presence:watch', added);
    let isOver = false;
    return () => {
      if (!isOver) this.unwatch(distinct);
      isOver = true;
    };
  }

  /** The last that was heard of somebody who is watched. */
  of(userId: string): PresenceEntry | undefined {
    return this.entries.get(userId);
  }

  /** After every `ready`: the server remembers nothing of an earlier socket. */
  resume(): void {
    this.send('presence:watch', [...this.watchers.keys()]);
  }

  apply(items: PresenceEntry[]): void {
    const news = items.filter((item) => {
      const known = this.entries.get(item.userId);
      return (
        this.watchers.has(item.userId) &&
        (known?.status !== item.status || known.lastSeenAt !== item.lastSeenAt)
      );
    });
    for (const item of news) this.entries.set(item.userId, item);
    if (news.length > 0) this.emit('changed', { items: news });
  }

  private unwatch(userIds: string[]): void {
    const gone = userIds.filter((userId) => {
      const count = (this.watchers.get(userId) ?? 0) - 1;
      if (count > 0) this.watchers.set(userId, count);
      else this.watchers.delete(userId);
      return count <= 0;
    });
    for (const userId of gone) this.entries.delete(userId);
    this.send('presence:unwatch', gone);
  }

  /** What fails for want of a connection is made good by `resume`. */
  private send(event: 'presence:watch' | 'presence:unwatch', userIds: string[]): void {
    if (userIds.length === 0) return;
    this.ask(event, userIds).then(
      ({ items }) => this.apply(items),
      (error: unknown) => this.logger.debug('Could not change the watch.', { error: String(error) }),
    );
  }
}

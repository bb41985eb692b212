import { errorCatalog, limits, ParleyError, type PresenceEntry } from '@parley/contracts';
import { backoffMs } from '../backoff';
import { Emitter } from '../emitter';
import type { Environment } from '../environment';

const BACKOFF = { baseMs: 500, maxMs: 15_000 };

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
  private online = false;
  /** Watched here, and not yet at the server: it could not say how they are. */
  private readonly untold = new Set<string>();
  private failures = 0;
  private timer?: unknown;

  constructor(
    private readonly ask: Ask,
    private readonly environment: Environment,
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
    this.pause();
    this.online = true;
    this.send('presence:watch', [...this.watchers.keys()]);
  }

  /** While there is nobody to ask. */
  pause(): void {
    this.online = false;
    this.untold.clear();
    this.failures = 0;
    this.environment.clock.clearTimeout(this.timer);
    this.timer = undefined;
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

  /** What fails for want of a connection is made good by `resume`; what the server cannot do now is asked for again. */
  private send(event: 'presence:watch' | 'presence:unwatch', userIds: string[]): void {
    if (userIds.length === 0) return;
    this.ask(event, userIds).then(
      ({ items }) => {
        this.failures = 0;
        this.apply(items);
      },
      (error: unknown) => {
        this.environment.logger.debug('Could not change the watch.', { error: String(error) });
        if (event === 'presence:watch' && this.online) this.again(userIds, error);
      },
    );
  }

  private again(userIds: string[], error: unknown): void {
    if (!(error instanceof ParleyError) || !errorCatalog[error.code].retry) return;
    for (const userId of userIds) this.untold.add(userId);
    if (this.timer !== undefined) return;
    const { clock, random } = this.environment;
    const waitMs = Math.max(error.retryAfterMs ?? 0, backoffMs(this.failures, BACKOFF, random));
    this.failures += 1;
    this.timer = clock.setTimeout(() => {
      this.timer = undefined;
      const wanted = [...this.untold].filter((userId) => this.watchers.has(userId));
      this.untold.clear();
      this.send('presence:watch', wanted);
    }, waitMs);
  }
}

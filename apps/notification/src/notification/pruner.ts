import { Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { counter, getLogger, RecentMap } from '@parley/service';
import { NotificationStore } from './notification.store';

const log = getLogger('Pruner');

/** A list is cut when so many entries came since it was last cut, so it never holds many more than are kept. */
const NEW_ENTRIES_MAX = 50;
/** Remembered at least; at most twice as many. */
const USERS = 100_000;
const USERS_PER_STATEMENT = 50;
const RETRY_MS = 1_000;

const pruned = counter('notification_pruned_total', 'Old entries that were dropped.');

/** Cuts the lists to their newest entries, in the background, one statement at a time. */
@Injectable()
export class Pruner implements BeforeApplicationShutdown {
  /** New entries since the list was last cut by this instance. */
  private readonly fresh = new RecentMap<string, number>(USERS);
  private readonly due = new Set<string>();
  private running?: Promise<void>;
  private stopped = false;

  constructor(private readonly store: NotificationStore) {}

  /** Somebody got an entry. The first one that this instance sees cuts as well: how many there are is not known. */
  touched(userId: string): void {
    const count = (this.fresh.get(userId) ?? NEW_ENTRIES_MAX) + 1;
    this.fresh.set(userId, count);
    if (count <= NEW_ENTRIES_MAX) return;
    this.fresh.set(userId, 0);
    this.due.add(userId);
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  /** Resolves once every list that is due was cut; for a program that ends when its work is done. */
  async settled(): Promise<void> {
    await this.running;
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.due.size > 0 && !this.stopped) {
      const userIds = [...this.due].slice(0, USERS_PER_STATEMENT);
      for (const userId of userIds) this.due.delete(userId);
      try {
        pruned.inc(await this.store.prune(userIds));
      } catch (error) {
        log.warn({ err: error }, 'Lists cannot be cut at the moment.');
        for (const userId of userIds) this.due.add(userId);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

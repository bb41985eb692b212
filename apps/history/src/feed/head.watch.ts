import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { limits, partitionOf, type PartitionRows } from '@parley/contracts';
import { getLogger } from '@parley/service';
import { ViewStore } from '../view/view.store';

interface Waiter {
  version: number;
  settle: (reached: boolean) => void;
}

const log = getLogger('HeadWatch');

/** How often one look at the store serves all who wait for lanes that other instances feed. */
const lookEveryMs = 50;
const waitersMax = 2000;

/**
 * Lets readers wait until the view holds a version. The feed of this instance wakes them at once; for what other instances
 * feed, one query looks for all of them.
 */
@Injectable()
export class HeadWatch implements OnApplicationShutdown {
  private readonly waiters = new Map<string, Set<Waiter>>();
  private count = 0;
  private timer?: NodeJS.Timeout;
  private looking = false;
  /** Whether this instance's feed applies the partition, and so says itself when a head moves. */
  isFed: (partition: number) => boolean = () => false;

  constructor(private readonly store: ViewStore) {}

  /** Resolves to whether the conversation's head reached the version within the second that callers wait at most. */
  async reach(conversationId: string, version: number, timeoutMs: number = limits.atLeastWaitMs) {
    if (this.count >= waitersMax) return false;
    let timer: NodeJS.Timeout | undefined;
    const waiter: Waiter = { version, settle: () => undefined };
    const reached = new Promise<boolean>((resolve) => {
      waiter.settle = resolve;
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    this.add(conversationId, waiter);
    try {
      // It may have been applied between the caller's look and this one.
      const heads = await this.store.heads([conversationId]);
      if ((heads.get(conversationId) ?? 0) >= version) return true;
      return await reached;
    } finally {
      clearTimeout(timer);
      this.remove(conversationId, waiter);
    }
  }

  /** These rows are in the view now. */
  applied(batch: PartitionRows[]): void {
    if (this.count === 0) return;
    for (const { rows } of batch) {
      for (const { conversationId, version } of rows) {
        if (version !== null && this.waiters.has(conversationId)) this.wake(conversationId, version);
      }
    }
  }

  onApplicationShutdown(): void {
    for (const set of this.waiters.values()) for (const waiter of set) waiter.settle(false);
  }

  private wake(conversationId: string, head: number): void {
    for (const waiter of this.waiters.get(conversationId) ?? []) {
      if (waiter.version <= head) waiter.settle(true);
    }
  }

  private add(conversationId: string, waiter: Waiter): void {
    const set = this.waiters.get(conversationId) ?? new Set();
    this.waiters.set(conversationId, set.add(waiter));
    this.count += 1;
    this.timer ??= setInterval(() => void this.look(), lookEveryMs);
  }

  private remove(conversationId: string, waiter: Waiter): void {
    const set = this.waiters.get(conversationId);
    set?.delete(waiter);
    if (set?.size === 0) this.waiters.delete(conversationId);
    this.count -= 1;
    if (this.count > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async look(): Promise<void> {
    const ids = [...this.waiters.keys()].filter((id) => !this.isFed(partitionOf(id)));
    if (this.looking || ids.length === 0) return;
    this.looking = true;
    try {
      const heads = await this.store.heads(ids);
      for (const [conversationId, head] of heads) this.wake(conversationId, head);
    } catch (error) {
      // Whoever waits hears `unavailable` when the time is up.
      log.warn({ err: error }, 'The heads cannot be read.');
    } finally {
      this.looking = false;
    }
  }
}

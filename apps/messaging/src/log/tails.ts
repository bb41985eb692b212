import { LogBroken } from './log.store';
import type { LogStore, Tail } from './log.store';

/** So many partitions in a row that cannot be read: the log is away, and is not asked for the others. */
const UNREAD_MAX = 6;

export interface Tails {
  found: Map<number, Tail>;
  /** Why there is no tail: LogBroken, or what the log said instead of an answer. */
  missing: Map<number, unknown>;
}

/**
 * Where the logs of partitions end. One question for all of them makes a quick start, asked twice, for trouble mostly passes;
 * then each is asked for by itself, so that one which cannot be read keeps no other from being served. One after the other:
 * commits go on beside.
 */
export async function readTails(
  store: LogStore,
  partitions: number[],
  onUnread?: (error: unknown) => void,
): Promise<Tails> {
  const tails: Tails = { found: new Map(), missing: new Map() };
  if ((await ask(partitions)) || (await ask(partitions))) return tails;
  let unread = 0;
  for (const partition of partitions.length > 1 ? partitions : []) {
    unread = (await ask([partition])) ? 0 : unread + 1;
    if (unread === UNREAD_MAX) break;
  }
  return tails;

  async function ask(asked: number[]): Promise<boolean> {
    try {
      for (const [partition, tail] of await store.catchUp(asked)) {
        tails.missing.delete(partition);
        if (tail instanceof LogBroken) tails.missing.set(partition, tail);
        else tails.found.set(partition, tail);
      }
      return true;
    } catch (error) {
      onUnread?.(error);
      for (const partition of asked) tails.missing.set(partition, error);
      return false;
    }
  }
}

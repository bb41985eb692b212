import type { LogEvent } from '@parley/contracts';
import { joinersOf } from './row.effects';

interface RecentRow {
  partition: number;
  row: LogEvent;
}

interface Generation {
  startedAtMs: number;
  size: number;
  byConversation: Map<string, RecentRow[]>;
  /** Conversations into which a user came. */
  joined: Map<string, Set<string>>;
}

/** Longer than a question to messaging may take, so that two generations always cover one. */
const GENERATION_MS = 3_000;
const GENERATION_ROWS_MAX = 50_000;

/**
 * The rows that this node applied while somebody was asking for memberships: what the answer may not reflect yet. Nothing
 * is kept while nobody asks.
 */
export class RecentRows {
  private readers = 0;
  private current = generation();
  private previous = generation();
  private lostAtMs = -Infinity;

  /** Rows are kept from now on, until `close`. */
  open(): void {
    this.readers += 1;
  }

  close(): void {
    this.readers -= 1;
    if (this.readers === 0) this.clear();
  }

  record(partition: number, rows: readonly LogEvent[]): void {
    if (this.readers === 0) return;
    const now = performance.now();
    if (now - this.current.startedAtMs > GENERATION_MS) {
      // Not needed any more by anybody, unless this process stood still.
      if (this.previous.size > 0) this.lostAtMs = Math.max(this.lostAtMs, this.current.startedAtMs);
      this.previous = this.current;
      this.current = generation(now);
    }
    this.current.size += rows.length;
    if (this.current.size > GENERATION_ROWS_MAX) {
      this.lostAtMs = now;
      this.clear();
      return;
    }
    for (const row of rows) this.keep(this.current, { partition, row });
  }

  /** Rows were passed over just now that nobody will get here. */
  skip(): void {
    this.lostAtMs = performance.now();
  }

  /** Whether every row since then is here; the clock is `performance.now()`. */
  reachesTo(sinceMs: number): boolean {
    return sinceMs > this.lostAtMs;
  }

  /**
   * Rows above the floor that concern the user, in order for each conversation. Where the user came into one, what was
   * before that is left out: it was not for them, or is in what they get when they come.
   */
  *concerning(
    userId: string,
    conversations: ReadonlySet<string>,
    floor: readonly number[],
  ): Generator<LogEvent> {
    const ids = new Set(conversations);
    for (const { joined } of [this.previous, this.current]) {
      for (const id of joined.get(userId) ?? []) ids.add(id);
    }
    for (const id of ids) {
      const rows = [this.previous, this.current]
        .flatMap(({ byConversation }) => byConversation.get(id) ?? [])
        .filter(({ partition, row }) => row.position > (floor[partition] ?? 0))
        .map(({ row }) => row);
      const arrival = rows.findLastIndex((row) => joinersOf(row).includes(userId));
      yield* arrival > 0 ? rows.slice(arrival) : rows;
    }
  }

  private keep({ byConversation, joined }: Generation, recent: RecentRow): void {
    const { row } = recent;
    const rows = byConversation.get(row.conversationId);
    if (rows) rows.push(recent);
    else byConversation.set(row.conversationId, [recent]);
    for (const userId of joinersOf(row)) {
      const ids = joined.get(userId) ?? new Set();
      joined.set(userId, ids);
      ids.add(row.conversationId);
    }
  }

  private clear(): void {
    this.current = generation();
    this.previous = generation();
  }
}

function generation(startedAtMs = performance.now()): Generation {
  return { startedAtMs, size: 0, byConversation: new Map(), joined: new Map() };
}

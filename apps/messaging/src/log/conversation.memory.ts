import { getHeapStatistics } from 'node:v8';
import { RecentMap } from '@parley/service';
import type { ConversationState } from '../conversation/conversation.state';

/** Measured: its id, when it came, its entry in a map of many. Roles are the same few strings for all. */
const MEMBER_BYTES = 180;
const CONVERSATION_BYTES = 1500;
/** Of what the process may have, for each of the two generations. */
const HEAP_SHARE = 0.2;

interface Known {
  state: ConversationState;
  /** The reading of the log that it belongs to. */
  of: object;
}

/**
 * The recent conversations of all partitions of an owner, bounded by what they take together: one with 100,000 members takes
 * as much as ten thousand others.
 */
export class ConversationMemory {
  private readonly recent: RecentMap<string, Known>;

  /**
   * @param uncommitted those with changes that are decided and not yet stored: nobody could read these again
   * @param bytesMax of one generation; half of what there can be
   */
  constructor(
    uncommitted: () => Iterable<string>,
    private readonly bytesMax: number = getHeapStatistics().heap_size_limit * HEAP_SHARE,
  ) {
    this.recent = new RecentMap(bytesMax, { weigh: bytesOf, held: uncommitted });
  }

  /** What is remembered is reckoned to take, and what it may, in bytes. */
  size(): { bytes: number; limit: number } {
    return { bytes: this.recent.weighs, limit: 2 * this.bytesMax };
  }

  ofPartition(): PartitionConversations {
    return new PartitionConversations(this.recent);
  }
}

/** What of it belongs to one partition under one term. */
export class PartitionConversations {
  private reading = {};

  constructor(private readonly recent: RecentMap<string, Known>) {}

  get(id: string): ConversationState | undefined {
    const known = this.recent.get(id);
    return known?.of === this.reading ? known.state : undefined;
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  set(id: string, state: ConversationState): void {
    this.recent.set(id, { state, of: this.reading });
  }

  /** Memberships of a conversation that is here have changed. */
  changed(memberships: number): void {
    if (memberships > 0) this.recent.grew(memberships * MEMBER_BYTES);
  }

  /** What was known is of no use any more, and makes room as it ages. */
  clear(): void {
    this.reading = {};
  }
}

function bytesOf({ state }: Known): number {
  return CONVERSATION_BYTES + state.members.size * MEMBER_BYTES;
}

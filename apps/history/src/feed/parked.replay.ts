import type { LogEvent } from '@parley/contracts';
import type { ParkedEvent } from '../view/view.store';
import { RowsRefused, type ViewFeedStore } from '../view/view.store';
import { checkRow } from './row.check';

export interface ReplayOutcome {
  partition: number;
  position: number;
  conversationId: string | null;
  /** Undefined when the event is in the view now. */
  reason?: string;
}

/** How many parked events are tried in one go. */
const eventsMax = 10_000;

/**
 * Tries parked events again, oldest first: after this service, or the row, has been mended. Whatever is newer in the view
 * stays, so the order does not matter; what still cannot be applied stays parked.
 *
 * @param conversationId only those of this conversation
 */
export async function replayParked(store: ViewFeedStore, conversationId?: string): Promise<ReplayOutcome[]> {
  const outcomes: ReplayOutcome[] = [];
  for (const event of await store.parked(eventsMax, conversationId)) {
    const { partition, position } = event;
    const reason = await replayOne(store, event);
    outcomes.push({
      partition,
      position,
      conversationId: event.conversationId,
      ...(reason !== undefined && { reason }),
    });
  }
  return outcomes;
}

async function replayOne(store: ViewFeedStore, parked: ParkedEvent): Promise<string | undefined> {
  const reason = checkRow(parked.partition, parked.event);
  if (reason !== undefined) return reason;
  try {
    await store.unpark(parked.partition, parked.event as LogEvent);
    return undefined;
  } catch (error) {
    if (error instanceof RowsRefused) return `refused by the store: ${error.message}`;
    throw error;
  }
}

import type { Violation } from './observations';

/** A write that was refused at least once with a word to try again, and then answered for good. */
export interface Delayed {
  conversationId: string;
  userId: string;
  /** The code of the first refusal and what it said. */
  reason: string;
  /** Monotonic, in milliseconds: of the first attempt and of the answer. */
  startedAt: number;
  endedAt: number;
}

/** Nobody is refused for longer than this, from the first attempt on; 0 means that nobody is refused at all. */
export function checkRefusals(delayed: Delayed[], refusedMsMax: number, struckAt: number): Violation[] {
  return delayed
    .filter(({ startedAt, endedAt }) => refusedMsMax === 0 || endedAt - startedAt > refusedMsMax)
    .map(({ conversationId, userId, reason, startedAt, endedAt }) => ({
      kind: 'refused',
      conversationId,
      detail: `${userId} was refused for ${Math.round(endedAt - startedAt)} ms from ${Math.round(startedAt - struckAt)} ms after the strike (${reason})`,
    }));
}

/** The longest refusal of any client, in milliseconds; 0 when nothing was refused. */
export function longestRefusal(delayed: Delayed[]): number {
  return Math.max(0, ...delayed.map(({ startedAt, endedAt }) => endedAt - startedAt));
}

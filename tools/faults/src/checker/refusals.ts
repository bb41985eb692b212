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

/**
 * What a strike may have to do with: the writes that had no answer yet, from the strike on. One that was under way may be
 * refused because of it, and its time before does not count.
 */
export function delayedSince(struckAt: number, delayed: readonly Delayed[]): Delayed[] {
  return delayed
    .filter(({ endedAt }) => endedAt >= struckAt)
    .map((one) => ({ ...one, startedAt: Math.max(one.startedAt, struckAt) }));
}

/**
 * Nobody is refused for longer than this, from the first attempt on; 0 means that nobody is refused at all. `replacedAt`
 * says in words what was done to an instance at a time, if anything was.
 */
export function checkRefusals(
  delayed: Delayed[],
  refusedMsMax: number,
  struckAt: number,
  replacedAt: (at: number) => string | undefined,
): Violation[] {
  const when = (at: number): string => `${Math.round(at - struckAt)} ms after the strike`;
  const during = (at: number): string => {
    const replacement = replacedAt(at);
    return replacement === undefined ? '' : `, ${replacement}`;
  };
  return delayed
    .filter(({ startedAt, endedAt }) => refusedMsMax === 0 || endedAt - startedAt > refusedMsMax)
    .map(({ conversationId, userId, reason, startedAt, endedAt }) => ({
      kind: 'refused',
      conversationId,
      detail: `${userId} was refused for ${Math.round(endedAt - startedAt)} ms from ${when(startedAt)}${during(startedAt)} (${reason})`,
    }));
}

/** The longest refusal of any client, in milliseconds; 0 when nothing was refused. */
export function longestRefusal(delayed: Delayed[]): number {
  return Math.max(0, ...delayed.map(({ startedAt, endedAt }) => endedAt - startedAt));
}

import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 20;
/** Below the time of a test (jest/setup.js), so that a test which waits in vain says for what, and ends what it started. */
const WITHIN_MS = 60_000;

/**
 * Asks again and again until it is so, for what tells nobody that it happened. Where an event tells, wait for the event.
 *
 * @param what is awaited, for the error: `both instances have lanes`
 * @returns the first answer that is neither false nor undefined nor null
 * @throws Error when it is not so in time; and whatever the question throws, at once
 */
export async function until<Answer>(
  what: string,
  ask: () => Answer | Promise<Answer>,
  { withinMs = WITHIN_MS, everyMs = EVERY_MS } = {},
): Promise<Exclude<Answer, false | undefined | null>> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${withinMs} ms in vain: ${what}.`)), withinMs);
  });
  // It may come while nothing is asked.
  tooLate.catch(() => undefined);
  try {
    for (;;) {
      const answer = await Promise.race([tooLate, ask()]);
      if (answer !== false && answer !== undefined && answer !== null)
        return answer as Exclude<Answer, false | undefined | null>;
      await delay(everyMs);
    }
  } finally {
    clearTimeout(timer);
  }
}

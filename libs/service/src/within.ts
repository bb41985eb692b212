import { getLogger } from './logging';
import { counter } from './metrics';

const log = getLogger('Within');
const givenUp = counter(
  'parley_given_up_total',
  'Calls without an answer that were given up; the log says which.',
);

/**
 * What `work` comes to, unless that takes longer than `limitMs`: then an error, and what it comes to later is nobody's
 * concern. For what has limits of its own, as a safeguard: one promise that a driver forgets, and a loop that waits for
 * it stands still without a word until somebody restarts it. What is given up may still happen.
 * @param what for the log and the error, as `append of the log`
 * @throws Error with `what` and the limit; whatever `work` throws
 */
export async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const giveUp = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      givenUp.inc();
      log.error({ what, limitMs }, 'What never came to an end is given up.');
      reject(new Error(`${what} did not come to an end within ${limitMs} ms`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, giveUp]);
  } finally {
    clearTimeout(timer);
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { isBackingServiceAway } from '@parley/service';

const PAUSE_MS = 50;
const PATIENCE_MS = 120_000;

/** Tries again what failed because a server was away: on a machine with much else to do it may be too slow at times. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBackingServiceAway(error) || performance.now() > deadline) throw error;
      await delay(PAUSE_MS);
    }
  }
}

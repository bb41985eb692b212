import { isBackingServiceAway } from '@parley/service';

/** Tries again what failed because a server was away: on a machine with much else to do it may be too slow at times. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBackingServiceAway(error)) throw error;
    }
  }
}

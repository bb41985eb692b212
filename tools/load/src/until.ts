import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 100;

/** Asks again and again; answers whether it was so in time. */
export async function until(isTrue: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > end) return false;
    await delay(EVERY_MS);
  }
  return true;
}

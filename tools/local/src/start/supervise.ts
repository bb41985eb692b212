import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from '../apps/instance';
import { lastLines } from '../process/owned-process';

const PAUSE_MS = 1_000;
const RESTARTS_MAX = 5;
const WINDOW_MS = 60_000;

/**
 * Starts an instance again whenever it ends by itself (a crash, or a kill by somebody who wants to see what happens),
 * until `isStopping` says that the end is meant. More than five ends a minute are given up, with a word.
 */
export async function supervise(
  instance: Instance,
  isStopping: () => boolean,
  say: (line: string) => void,
): Promise<void> {
  let ends: number[] = [];
  for (;;) {
    await instance.ended();
    if (isStopping()) return;
    ends = [...ends.filter((at) => at > performance.now() - WINDOW_MS), performance.now()];
    if (ends.length > RESTARTS_MAX) {
      say(`${instance.name} ended ${ends.length} times within a minute and stays down. Its last lines:`);
      say(lastLines(instance.logFile));
      return;
    }
    say(`${instance.name} ended; starting it again (log: ${instance.logFile})`);
    await delay(PAUSE_MS);
    if (isStopping()) return;
    try {
      await instance.start();
      say(`${instance.name} is back`);
    } catch (error) {
      say((error as Error).message);
    }
  }
}

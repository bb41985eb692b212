import { setTimeout as delay } from 'node:timers/promises';
import type { System } from '@parley/tool-load';
import type { AppInstance } from '@parley/tool-local';
import { readShares, unevenness } from '../system/shares';
import type { Fault, Hands } from './fault';

/** Everything is shared evenly so soon after an instance came or went; 5.6 s were measured on two cores. */
const EVEN_MS_MAX = 15_000;
const POLL_MS = 50;
/** Whose instances share partitions or lanes. */
const SHARING = ['messaging', 'realtime', 'history', 'notification'] as const;
/**
 * After an instance is ready, before the next one goes: as `minReadySeconds` in Kubernetes. The gateway finds out at its next
 * check, and of two instances it would have none.
 */
const MIN_READY_MS = 2_500;
/** Both releases work side by side for so long. */
const MIXED_MS = 3_000;

/**
 * An instance of each app that shares work goes in good order and comes again. Nothing is refused, and the others take
 * its part, and give it back, within `EVEN_MS_MAX`.
 */
export const joining: Fault = {
  name: 'join',
  demands: { refusedMsMax: 0 },
  leavesOut: ({ apps }) => SHARING.filter((app) => apps.of(app).length < 2),
  async strike(system, hands) {
    let longestMs: number | undefined;
    for (const app of SHARING) {
      const instances = system.apps.of(app);
      const last = instances.at(-1);
      // Its only one could leave its part to nobody.
      if (!last || instances.length < 2) continue;
      await hands.without(last, async () => {
        await last.stop();
        longestMs = Math.max(longestMs ?? 0, await untilEven(system));
        await last.start();
        longestMs = Math.max(longestMs ?? 0, await untilEven(system));
      });
    }
    return longestMs;
  },
};

/** Every instance of every app is replaced, one after the other, as an upgrade does. */
export const rolling: Fault = {
  name: 'rolling restart',
  demands: { refusedMsMax: 0, presence: true },
  strike: (system, hands) => replaceAll(system, hands, () => undefined),
};

/**
 * Every instance goes back to the former release, one after the other, and forward again: in between both work side by
 * side, in every order.
 */
export const upgraded: Fault = {
  name: 'upgrade',
  demands: { refusedMsMax: 0, presence: true },
  async strike(system, hands) {
    const { formerWorkspace, presentWorkspace } = hands;
    if (formerWorkspace === undefined) throw new Error('The fault "upgrade" needs --from.');
    await replaceAll(system, hands, (instance) => instance.runFrom(formerWorkspace));
    await delay(MIXED_MS);
    await replaceAll(system, hands, (instance) => instance.runFrom(presentWorkspace));
  },
};

async function replaceAll(
  system: System,
  hands: Hands,
  prepare: (instance: AppInstance) => void,
): Promise<void> {
  for (const instance of system.apps.instances)
    await hands.without(instance, async () => {
      await instance.stop();
      prepare(instance);
      await instance.start();
      await delay(MIN_READY_MS);
    });
}

/** How long it takes until everything is shared evenly among those that run. @throws Error when it takes too long */
async function untilEven(system: System): Promise<number> {
  const startedAt = performance.now();
  for (;;) {
    const uneven = (await readShares(system)).find((shares) => unevenness(shares) !== undefined);
    const sinceMs = performance.now() - startedAt;
    if (!uneven) return sinceMs;
    if (sinceMs > EVEN_MS_MAX) throw new Error(`${uneven.service}: ${unevenness(uneven)}`);
    await delay(POLL_MS);
  }
}

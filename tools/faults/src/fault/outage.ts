import { setTimeout as delay } from 'node:timers/promises';
import type { Instance, Server } from '@parley/tool-local';

/** Ends a server, in good order or as in a crash, and starts it again after `forMs`. */
export async function outage(
  server: Pick<Server, 'stop' | 'kill' | 'start'>,
  how: 'stop' | 'kill',
  forMs: number,
): Promise<void> {
  await server[how]();
  await delay(forMs);
  await server.start();
}

/** It holds its connections and does nothing for `forMs`, and then goes on as if no time had passed. */
export async function standstill(one: Pick<Instance, 'freeze' | 'thaw'>, forMs: number): Promise<void> {
  one.freeze();
  await delay(forMs);
  one.thaw();
}

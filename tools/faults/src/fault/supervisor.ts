import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from '@parley/tool-local';

const PAUSE_MS = 500;

/** Starts every instance again that ends, as an orchestrator would, until it is stopped. */
export class Supervisor {
  private stopping = false;
  private readonly loops: Promise<void>[];
  /** How often each instance was started again, by name. */
  readonly restarts = new Map<string, number>();

  constructor(instances: readonly Instance[]) {
    this.loops = instances.map((instance) => this.watch(instance));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    // An instance that is on its way up must be there before it can be stopped in good order.
    await Promise.race([Promise.all(this.loops), delay(0)]);
  }

  private async watch(instance: Instance): Promise<void> {
    for (;;) {
      await instance.ended();
      await delay(PAUSE_MS);
      if (this.stopping) return;
      this.restarts.set(instance.name, (this.restarts.get(instance.name) ?? 0) + 1);
      // A start that fails, e.g. while the database is away, ends the process and is tried again.
      if (instance.pid === undefined) await instance.start().catch(() => undefined);
    }
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from '@parley/tool-local';

const PAUSE_MS = 500;

/** Starts every instance again that ends, as an orchestrator would, until it is stopped. */
export class Supervisor {
  private stopping = false;
  private readonly held = new Set<Instance>();

  constructor(instances: readonly Instance[]) {
    for (const instance of instances) void this.watch(instance);
  }

  stop(): void {
    this.stopping = true;
  }

  /** Leaves an instance alone while `work` stops and starts it. */
  async without(instance: Instance, work: () => Promise<void>): Promise<void> {
    this.held.add(instance);
    try {
      await work();
    } finally {
      this.held.delete(instance);
    }
  }

  private async watch(instance: Instance): Promise<void> {
    for (;;) {
      await instance.ended();
      await delay(PAUSE_MS);
      if (this.stopping) return;
      // A start that fails, e.g. while the database is away, ends the process and is tried again.
      if (instance.pid === undefined && !this.held.has(instance))
        await instance.start().catch(() => undefined);
    }
  }
}

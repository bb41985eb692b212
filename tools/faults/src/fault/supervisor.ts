import { setTimeout as delay } from 'node:timers/promises';
import type { Instance } from '@parley/tool-local';

const PAUSE_MS = 500;

/** A time in which an instance was stopped and started by a fault: monotonic, in milliseconds. */
interface Replacement {
  instance: string;
  startedAt: number;
  endedAt: number;
}

/** Starts every instance again that ends, as an orchestrator would, until it is stopped. */
export class Supervisor {
  private stopping = false;
  private readonly held = new Set<Instance>();
  private readonly replacements: Replacement[] = [];

  constructor(instances: readonly Instance[]) {
    for (const instance of instances) void this.watch(instance);
  }

  stop(): void {
    this.stopping = true;
  }

  /** Leaves an instance alone while `work` stops and starts it. */
  async without(instance: Instance, work: () => Promise<void>): Promise<void> {
    this.held.add(instance);
    const replacement = { instance: instance.name, startedAt: performance.now(), endedAt: Infinity };
    this.replacements.push(replacement);
    try {
      await work();
    } finally {
      this.held.delete(instance);
      replacement.endedAt = performance.now();
    }
  }

  /** Which instance was being replaced at that time, in words; undefined when none was. */
  replacedAt(at: number): string | undefined {
    const found = this.replacements.findLast(({ startedAt, endedAt }) => startedAt <= at && at <= endedAt);
    return found && `${Math.round(at - found.startedAt)} ms into the replacement of ${found.instance}`;
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

import { readFileSync } from 'node:fs';
import { Inspector } from '@parley/tool-load';
import type { Instance } from '@parley/tool-local';

/** Node writes where its inspector listens when it was started with it; port 0 lets it choose. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };
const LISTENING = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//g;

export interface Memory {
  /** What the process holds of the machine's memory, garbage included. */
  residentBytes: number;
  /** The same after a collection. */
  collectedBytes: number;
  heapBytes: number;
}

/** Measures an instance that was started with `INSPECTED`, before and after a collection of its garbage. */
export async function readMemory(instance: Instance): Promise<Memory> {
  const residentBytes = residentBytesOf(instance);
  const inspector = await Inspector.attach(inspectorPortOf(instance));
  try {
    // Twice: what the first run finalises, the second frees.
    for (let i = 0; i < 2; i++) await inspector.call('HeapProfiler.collectGarbage');
    const { usedSize } = await inspector.call<{ usedSize: number }>('Runtime.getHeapUsage');
    return { residentBytes, collectedBytes: residentBytesOf(instance), heapBytes: usedSize };
  } finally {
    inspector.detach();
  }
}

function residentBytesOf({ name, pid }: Instance): number {
  if (pid === undefined) throw new Error(`${name} does not run.`);
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

function inspectorPortOf({ name, logFile }: Instance): number {
  const last = [...readFileSync(logFile, 'utf8').matchAll(LISTENING)].at(-1);
  if (!last) throw new Error(`${name} has no inspector: ${logFile} does not name one.`);
  return Number(last[1]);
}

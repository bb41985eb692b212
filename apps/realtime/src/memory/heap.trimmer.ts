import { Session } from 'node:inspector';
import { performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { getLogger } from '@parley/service';

const log = getLogger('HeapTrimmer');

export interface TrimmerOptions {
  /** How often to look, in ms. */
  everyMs: number;
  /** A node is calm while its event loop was busy for at most this share of the time since the last look, 0 to 1. */
  calm: number;
  /** The heap is collected when it has grown by so many bytes since it last was, … */
  growthBytes: number;
  /** … and by this share of what it was then. */
  growthShare: number;
}

const DEFAULTS: TrimmerOptions = {
  everyMs: 5_000,
  calm: 0.2,
  growthBytes: 32 * 1024 * 1024,
  growthShare: 0.25,
};

/**
 * Gives memory back after a burst. What thousands of joins leave behind is as much again as their sockets cost, and V8
 * keeps it for as long as nothing is allocated, which on a node of idle sockets is very long. Collecting stops the
 * process for a moment (about a tenth of a second for 60 MB), so it waits until the node is calm and it is worth it.
 */
export class HeapTrimmer {
  private readonly options: TrimmerOptions;
  private timer?: NodeJS.Timeout;
  private loop = performance.eventLoopUtilization();
  /** Size of the heap after the last collection, in bytes. None yet: what starting left behind goes first. */
  private trimmedBytes = 0;

  constructor(options: Partial<TrimmerOptions> = {}) {
    this.options = { ...DEFAULTS, ...options };
  }

  start(): void {
    const look = (): void => {
      this.look().catch((error: unknown) => log.warn({ err: error }, 'The heap could not be trimmed.'));
    };
    this.timer = setInterval(look, this.options.everyMs).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const loop = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(loop, this.loop);
    this.loop = loop;
    const { calm, growthBytes, growthShare } = this.options;
    if (utilization > calm) return;
    const heapBytes = heapSize();
    const growth = heapBytes - this.trimmedBytes;
    if (growth < Math.max(growthBytes, growthShare * this.trimmedBytes)) return;
    // Until this one is through, the next look finds nothing grown.
    this.trimmedBytes = heapBytes;
    await collectGarbage();
    this.trimmedBytes = heapSize();
    log.debug({ heapBytes, trimmedBytes: this.trimmedBytes }, 'The heap was trimmed.');
  }
}

/** What V8 holds for the heap, garbage and free room included. */
function heapSize(): number {
  return getHeapStatistics().total_heap_size;
}

/**
 * A full collection that also shrinks the young generation, of which V8 otherwise keeps 32 MB. The inspector offers it
 * without a flag of the process, and without listening anywhere.
 */
function collectGarbage(): Promise<void> {
  const session = new Session();
  session.connect();
  const collected = new Promise<void>((resolve, reject) => {
    session.post('HeapProfiler.collectGarbage', (error) => (error ? reject(error) : resolve()));
  });
  // Not from the callback itself: the session still works then.
  return collected.finally(() => session.disconnect());
}

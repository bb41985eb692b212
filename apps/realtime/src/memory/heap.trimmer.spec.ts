import { setTimeout as delay } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import { until } from '@parley/testing';
import { HeapTrimmer } from './heap.trimmer';

const MB = 1024 * 1024;
const options = { everyMs: 20, calm: 1, growthBytes: 32 * MB, growthShare: 0 };
const heapSize = (): number => getHeapStatistics().total_heap_size;

/** Leaves so many bytes behind as joins do: objects that lived until they were old. */
function burst(bytes: number): void {
  let kept: object[] = [];
  const end = heapSize() + bytes;
  while (heapSize() < end) for (let i = 0; i < 1_000; i++) kept.push({ i, ids: [i] });
  kept = [];
}

describe('a heap after a burst', () => {
  let trimmer: HeapTrimmer;

  beforeEach(() => (trimmer = new HeapTrimmer(options)));
  afterEach(() => trimmer.stop());

  const shrinks = (below: number) => until('a smaller heap', () => heapSize() < below);

  it('is given back, each time', async () => {
    burst(64 * MB);
    const first = heapSize();
    trimmer.start();
    await shrinks(first - 32 * MB);
    burst(64 * MB);
    await shrinks(heapSize() - 32 * MB);
  });

  it('is left alone while the node has work to do', async () => {
    trimmer = new HeapTrimmer({ ...options, calm: -1 });
    trimmer.start();
    burst(64 * MB);
    const before = heapSize();
    await delay(10 * options.everyMs);
    expect(heapSize()).toBeGreaterThan(before - 32 * MB);
  });
});

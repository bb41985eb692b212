import { setTimeout as delay } from 'node:timers/promises';
import { CpuMeter, pidsOf } from '@parley/tool-load';
import { exact, hard, type PartResult, time } from '../finding';
import { type Memory, readMemory } from '../measure/memory';
import { quantile } from '../crowd/totals';
import type { Seat } from '../crowd/member';
import type { Stage } from '../stage';

const PARALLEL = 256;
const WARM_UP_SOCKETS = 1_000;
const IDLE_MS = 30_000;
const KB = 1024;
/** In µs of a core each second: for 1,000 sockets, and once for both nodes, which are never quite idle. */
const SOCKETS_CPU_US_MAX = 30_000;
const NODES_CPU_US_MAX = 100_000;

/** Everybody has a socket on each of two nodes and says nothing. */
export async function idle(stage: Stage): Promise<PartResult> {
  const { options, say, system } = stage;
  await stage.circles();
  const nodes = [stage.instance('realtime', 0), stage.instance('realtime', 1)];
  const seats: Seat[] = nodes.flatMap(({ url }) =>
    stage.people.slice(0, options.sockets / 2).map((person) => ({ ...person, urls: [url], follows: false })),
  );
  const crowds = stage.crowds(seats.length);
  try {
    // The first sockets make the process grow by what it needs anyway: code, pools, caches.
    say('Warming up');
    const half = WARM_UP_SOCKETS / 2;
    const warmUp = [...seats.slice(0, half), ...seats.slice(-half)];
    for (let i = 0; i < 2; i++) {
      await crowds.enter(warmUp, PARALLEL);
      await crowds.leave();
    }
    await delay(3_000);
    const before = await Promise.all(nodes.map(readMemory));
    await stage.database.reset();
    await crowds.reset();
    say(`Opening ${seats.length} sockets`);
    const start = performance.now();
    await crowds.enter(seats, PARALLEL);
    const openedMs = performance.now() - start;
    const { openMs, readyBytes } = await crowds.look();
    const calls = await stage.joinStatements();
    say(`Idling for ${IDLE_MS / 1000} s`);
    const meter = new CpuMeter(pidsOf(system));
    await delay(IDLE_MS);
    const cpuUs = meter.used().byName.get('realtime') ?? 0;
    const { standing } = await crowds.look();
    const after = await Promise.all(nodes.map(readMemory));
    const each = (of: (memory: Memory) => number, from = of): number =>
      nodes.reduce((sum, _, i) => sum + of(after[i] as Memory) - from(before[i] as Memory), 0) /
      seats.length /
      KB;
    return {
      part: 'idle',
      notes: [],
      findings: [
        exact('sockets that were lost', seats.length - standing, '', 0),
        hard(
          'resident memory a socket',
          each(
            (memory) => memory.residentBytes,
            (memory) => memory.collectedBytes,
          ),
          'KB',
          25,
        ),
        hard(
          'the same after a collection',
          each((memory) => memory.collectedBytes),
          'KB',
          25,
        ),
        hard(
          'heap a socket',
          each((memory) => memory.heapBytes),
          'KB',
          25,
        ),
        hard('statements for memberships a join', calls / seats.length, '', 1.1),
        hard('bytes of ready', readyBytes / seats.length, 'B', 20_000),
        time('all open after', openedMs / 1000, 's', 60),
        time('ready after, median', quantile(openMs, 0.5), 'ms', 2_000),
        hard(
          'CPU of the nodes for 1,000 idle sockets',
          (cpuUs / IDLE_MS / seats.length) * 1_000_000,
          'µs/s',
          SOCKETS_CPU_US_MAX + (1_000 * NODES_CPU_US_MAX) / seats.length,
        ),
      ],
    };
  } finally {
    crowds.end();
  }
}

import type { CpuUse } from '@parley/tool-load';
import { type Finding, hard } from '../finding';

/**
 * Processor time for each of `count`, by process, beside the bound of each; one that was not metered breaks its own.
 *
 * @param what e.g. `a message`
 * @param maxMs by the name of the process in `pidsOf`
 */
export function processorTime(
  what: string,
  { byName }: Pick<CpuUse, 'byName'>,
  count: number,
  maxMs: Record<string, number>,
): Finding[] {
  return Object.entries(maxMs).map(([process, max]) =>
    hard(`CPU of ${process} for ${what}`, (byName.get(process) ?? NaN) / 1_000 / count, 'ms', max),
  );
}

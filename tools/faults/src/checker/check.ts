import { checkAudience } from './audience';
import { checkConvergence } from './convergence';
import { checkLog, readLog } from './log';
import type { Observations, Violation } from './observations';
import { checkNodes } from './nodes';
import { checkOrder } from './order';
import { checkView } from './view';

/** Everything that is wrong with what was observed; empty when all promises were kept. */
export function check(observations: Observations): Violation[] {
  const logs = readLog(observations.log);
  return [
    ...checkLog(observations, logs),
    ...checkView(observations, logs),
    ...checkOrder(observations, logs),
    ...checkNodes(observations),
    ...checkAudience(observations, logs),
    ...checkConvergence(observations),
  ];
}

import { randomBytes } from 'node:crypto';
import { runInContext } from '@parley/service';

const process16 = randomBytes(8).toString('hex');
let count = 0;

/**
 * Runs the handling of one client event under its own W3C trace context. Ids are this process's random half and a
 * counter: unique without asking the system for randomness at each event.
 */
export function traced<T>(handle: () => T): T {
  count += 1;
  const counter16 = count.toString(16).padStart(16, '0');
  const context = {
    requestId: `${process16}-${count}`,
    traceparent: `00-${process16}${counter16}-${counter16}-01`,
  };
  return runInContext(context, handle);
}

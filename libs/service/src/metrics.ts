import { setTimeout as delay } from 'node:timers/promises';
import { Counter, Gauge, Histogram, collectDefaultMetrics, register } from 'prom-client';
import { getLogger } from './logging';

const log = getLogger('Metrics');

/** Seconds, from half a millisecond to ten seconds. */
export const durationBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** One registry per process: a name that exists is given back, so that several apps can live in one test process. */
export const metricsRegistry = register;

let defaultsCollected = false;

/** CPU, memory, event-loop delay and garbage collection of this process. */
export function collectProcessMetrics(): void {
  if (defaultsCollected) return;
  defaultsCollected = true;
  collectDefaultMetrics({ register });
}

export function counter<T extends string = string>(
  name: string,
  help: string,
  labels: readonly T[] = [],
): Counter<T> {
  const known = register.getSingleMetric(name);
  return (known as Counter<T> | undefined) ?? new Counter<T>({ name, help, labelNames: labels });
}

/** Rows that a gauge counts at most: no alert needs to know how many there are beyond this, and each scrape counts them. */
export const COUNTED_MAX = 10_000;

type Collect<T extends string> = (this: Gauge<T>) => void | Promise<void>;

/**
 * `collect` is called at each scrape and may set the value. The newest one counts where a name is asked for again. It may
 * ask a store: whatever becomes of that, the scrape goes on, with the value of before, or none where there was none.
 */
export function gauge<T extends string = string>(
  name: string,
  help: string,
  labels: readonly T[] = [],
  collect?: Collect<T>,
): Gauge<T> {
  if (collect) register.removeSingleMetric(name);
  const known = register.getSingleMetric(name);
  if (known) return known as Gauge<T>;
  const made = new Gauge<T>({ name, help, labelNames: labels, collect: collect && harmless(name, collect) });
  // A new gauge without labels says 0, which nobody has counted.
  if (collect && labels.length === 0) made.remove();
  return made;
}

/** A scrape waits no longer for a figure that comes from a store. Prometheus waits 5 s for all of them. */
const collectMsMax = 2_000;

/** Of a store that hangs nothing more is asked until it has answered. */
function harmless<T extends string>(name: string, collect: Collect<T>): Collect<T> {
  let asking: Promise<void> | undefined;
  let isFailing = false;
  const ask = async (answer: Promise<void>) => {
    try {
      await answer;
      isFailing = false;
    } catch (error) {
      // One line for each outage, not one for each scrape.
      if (!isFailing) log.warn({ err: error, metric: name }, 'A figure cannot be read now.');
      isFailing = true;
    } finally {
      asking = undefined;
    }
  };
  return function (this: Gauge<T>) {
    if (!asking) {
      const answer = attempt(() => collect.call(this));
      if (!answer) {
        isFailing = false;
        return undefined;
      }
      asking = ask(answer);
    }
    return Promise.race([asking, delay(collectMsMax, undefined, { ref: false })]);
  };
}

/** What is thrown before the first `await` is a refusal like any later one. */
function attempt(work: () => void | Promise<void>): void | Promise<void> {
  try {
    return work();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

export function histogram<T extends string = string>(
  name: string,
  help: string,
  labels: readonly T[] = [],
  buckets: number[] = durationBuckets,
): Histogram<T> {
  const known = register.getSingleMetric(name);
  return (known as Histogram<T> | undefined) ?? new Histogram<T>({ name, help, labelNames: labels, buckets });
}

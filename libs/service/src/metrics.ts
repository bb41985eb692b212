import { Counter, Gauge, Histogram, collectDefaultMetrics, register } from 'prom-client';

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

/** `collect` is called at each scrape and may set the value. The newest one counts where a name is asked for again. */
export function gauge<T extends string = string>(
  name: string,
  help: string,
  labels: readonly T[] = [],
  collect?: (this: Gauge<T>) => void | Promise<void>,
): Gauge<T> {
  if (collect) register.removeSingleMetric(name);
  const known = register.getSingleMetric(name);
  return (known as Gauge<T> | undefined) ?? new Gauge<T>({ name, help, labelNames: labels, collect });
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

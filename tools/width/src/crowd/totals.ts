/** What the members of a crowd saw since the last `reset`, `standing` excepted, which is as of now. */
export interface Totals {
  /** Members that have their `ready` now. */
  standing: number;
  /** Times that `ready` came, and its bytes. */
  readies: number;
  readyBytes: number;
  readyBytesMax: number;
  /** From the opening of the socket to `ready`, and from the loss of the last socket to the next `ready`. */
  openMs: number[];
  backMs: number[];
  /** Sockets that ended, by the reason that the server gave, or the network. */
  ended: Record<string, number>;
  events: Record<string, { count: number; bytes: number }>;
  syncs: number;
  syncBytes: number;
  syncRefusals: Record<string, number>;
}

export function newTotals(): Totals {
  return {
    standing: 0,
    readies: 0,
    readyBytes: 0,
    readyBytesMax: 0,
    openMs: [],
    backMs: [],
    ended: {},
    events: {},
    syncs: 0,
    syncBytes: 0,
    syncRefusals: {},
  };
}

export function count(counts: Record<string, number>, name: string, by = 1): void {
  counts[name] = (counts[name] ?? 0) + by;
}

/** The totals of several processes as one. */
export function addUp(parts: Totals[]): Totals {
  const sum = newTotals();
  for (const part of parts) {
    for (const key of ['standing', 'readies', 'readyBytes', 'syncs', 'syncBytes'] as const)
      sum[key] += part[key];
    sum.readyBytesMax = Math.max(sum.readyBytesMax, part.readyBytesMax);
    for (const key of ['openMs', 'backMs'] as const) sum[key] = sum[key].concat(part[key]);
    for (const key of ['ended', 'syncRefusals'] as const)
      for (const [name, times] of Object.entries(part[key])) count(sum[key], name, times);
    for (const [name, { count: times, bytes }] of Object.entries(part.events)) {
      const event = (sum.events[name] ??= { count: 0, bytes: 0 });
      event.count += times;
      event.bytes += bytes;
    }
  }
  return sum;
}

/** The value at or below which `share` (0 to 1) of them lie; 0 when there is none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

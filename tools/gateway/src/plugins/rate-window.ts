import type { Period } from '../config/plugin.schema';

export const periodSeconds: Record<Period, number> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
  month: 2_592_000,
  year: 31_536_000,
};

/** When the fixed window of wall-clock time (UTC) that `nowMs` lies in began. */
export function windowStartMs(period: Period, nowMs: number): number {
  const now = new Date(nowMs);
  if (period === 'year') return Date.UTC(now.getUTCFullYear(), 0);
  if (period === 'month') return Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  return nowMs - (nowMs % (periodSeconds[period] * 1000));
}

export interface Bucket {
  period: Period;
  /** Unique for what is counted, for whom, and the window. */
  key: string;
  limit: number;
}

/** Where buckets are counted. */
export interface CounterStore {
  /**
   * The counts before this request, in the order of the buckets. Counts the request in all of them, unless one is full
   * already. Rejects when the store cannot be reached.
   */
  take(buckets: Bucket[]): Promise<number[]> | number[];
}

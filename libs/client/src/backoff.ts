export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
}

/** How the SDK comes back after its connection was lost. */
export const RECONNECT_BACKOFF: BackoffOptions = { baseMs: 300, maxMs: 20_000 };
/** How it asks `sync` again when that failed or brought nothing. */
export const SYNC_BACKOFF: BackoffOptions = { baseMs: 100, maxMs: 5_000 };

/**
 * How long to wait before attempt `attempt` (from 0): exponential, and anywhere in its upper half, so that the clients
 * of a node that died do not come back in step.
 */
export function backoffMs(attempt: number, { baseMs, maxMs }: BackoffOptions, random: () => number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 20));
  return ceiling / 2 + (ceiling / 2) * random();
}

/** How often the wait for `ready` doubles at most. */
const PATIENCE_DOUBLINGS_MAX = 2;

/**
 * How long to wait for `ready` after `timeouts` attempts in a row without it: up to four times as long. Where thousands come
 * back at once they stand in line, and who gives up goes to its end; those who all gave up as soon would never be served.
 */
export function patienceMs(timeouts: number, readyTimeoutMs: number): number {
  return readyTimeoutMs * 2 ** Math.min(timeouts, PATIENCE_DOUBLINGS_MAX);
}

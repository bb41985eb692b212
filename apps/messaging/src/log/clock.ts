/** Time, as owners see it; a simulation brings its own. */
export interface OwnerClock {
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** RFC 3339 with milliseconds. */
  now(): string;
  sleep(ms: number): Promise<void>;
}

import { Injectable } from '@nestjs/common';

/** Resolves while the dependency works, rejects when it does not. */
export type HealthCheck = () => Promise<unknown>;

export interface HealthReport {
  status: 'ok' | 'degraded' | 'unavailable' | 'draining';
  checks: { name: string; status: 'up' | 'down'; critical: boolean; error?: string }[];
}

interface Entry {
  check: HealthCheck;
  critical: boolean;
  /** A check that hangs is not started again beside itself, until it counts as forgotten. */
  running?: Promise<string | undefined>;
  startedAt: number;
  /** When it was last seen to pass: monotonic, in milliseconds. */
  passedAt: number;
}

/** Below the second that gateways and orchestrators wait for an answer. */
const checkTimeoutMs = 800;

/** A check that has not ended by then never will, and must not keep the instance out of service. */
const forgottenMs = 10_000;

/**
 * A critical dependency may be away for so long before the instance goes out of service. All instances miss the same
 * server at once: without this, a standstill of a second would make the gateway refuse everything, and for longer than it
 * lasts, although most of what comes meanwhile can wait for its end.
 */
const graceMs = 3000;

/**
 * What this process depends on. It is ready once every critical check has passed, and as long as none has failed for
 * longer than a moment and nothing drains.
 */
@Injectable()
export class HealthRegistry {
  private readonly entries = new Map<string, Entry>();
  private drainStarted = false;

  /**
   * @param options.critical a critical check (the default) that fails for three seconds takes the instance out of
   *   service; until then, and another one always, it is only reported, as `degraded`.
   */
  register(name: string, check: HealthCheck, options: { critical?: boolean } = {}): void {
    this.entries.set(name, {
      check,
      critical: options.critical ?? true,
      startedAt: -Infinity,
      passedAt: -Infinity,
    });
  }

  unregister(name: string): void {
    this.entries.delete(name);
  }

  get draining(): boolean {
    return this.drainStarted;
  }

  /** From now on the instance says that it wants no more work. */
  startDraining(): void {
    this.drainStarted = true;
  }

  /** Runs all checks at once, each bounded to less than a second. */
  async report(): Promise<HealthReport> {
    let isFit = true;
    const checks = await Promise.all(
      [...this.entries].map(async ([name, entry]) => {
        const error = await this.outcome(entry);
        if (entry.critical && error !== undefined) isFit &&= performance.now() - entry.passedAt < graceMs;
        return error === undefined
          ? { name, status: 'up' as const, critical: entry.critical }
          : { name, status: 'down' as const, critical: entry.critical, error };
      }),
    );
    let status: HealthReport['status'] = 'ok';
    if (checks.some((check) => check.status === 'down')) status = isFit ? 'degraded' : 'unavailable';
    if (this.drainStarted) status = 'draining';
    return { status, checks };
  }

  private async outcome(entry: Entry): Promise<string | undefined> {
    if (!entry.running || performance.now() - entry.startedAt > forgottenMs) this.start(entry);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), checkTimeoutMs);
    });
    const error = await Promise.race([entry.running!, late]);
    clearTimeout(timer);
    return error;
  }

  private start(entry: Entry): void {
    const startedAt = performance.now();
    entry.startedAt = startedAt;
    const running = settle(entry.check).then((error) => {
      if (entry.running === running) entry.running = undefined;
      if (error === undefined) entry.passedAt = Math.max(entry.passedAt, startedAt);
      return error;
    });
    entry.running = running;
  }
}

/** The kind of failure, not its message, which may name hosts and users. */
async function settle(check: HealthCheck): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    const { code, name } = error as { code?: unknown; name?: unknown };
    if (typeof code === 'string') return code;
    return typeof name === 'string' ? name : 'failed';
  }
}

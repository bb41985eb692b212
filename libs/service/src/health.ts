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
  /** A check that hangs is not started again beside itself. */
  running?: Promise<string | undefined>;
}

const checkTimeoutMs = 1000;

/** What this process depends on. Readiness is true exactly while every critical check passes and nothing drains. */
@Injectable()
export class HealthRegistry {
  private readonly entries = new Map<string, Entry>();
  private drainStarted = false;

  /**
   * @param options.critical a failing critical check (the default) takes the instance out of service; another one is
   *   only reported, as `degraded`.
   */
  register(name: string, check: HealthCheck, options: { critical?: boolean } = {}): void {
    this.entries.set(name, { check, critical: options.critical ?? true });
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

  /** Runs all checks at once, each bounded to a second. */
  async report(): Promise<HealthReport> {
    const checks = await Promise.all(
      [...this.entries].map(async ([name, entry]) => {
        const error = await this.outcome(entry);
        return error === undefined
          ? { name, status: 'up' as const, critical: entry.critical }
          : { name, status: 'down' as const, critical: entry.critical, error };
      }),
    );
    const down = checks.filter((check) => check.status === 'down');
    let status: HealthReport['status'] = 'ok';
    if (down.length > 0) status = down.some((check) => check.critical) ? 'unavailable' : 'degraded';
    if (this.drainStarted) status = 'draining';
    return { status, checks };
  }

  private async outcome(entry: Entry): Promise<string | undefined> {
    entry.running ??= settle(entry.check).finally(() => {
      entry.running = undefined;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve('timeout'), checkTimeoutMs);
    });
    const error = await Promise.race([entry.running, late]);
    clearTimeout(timer);
    return error;
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

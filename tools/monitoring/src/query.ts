import { setTimeout as delay } from 'node:timers/promises';

interface Answer<T> {
  status: 'success' | 'error';
  error?: string;
  data: T;
}

interface Matrix {
  result: { values: [number, string][] }[];
}

interface RuleGroups {
  groups: { rules: { name: string; health: 'ok' | 'err' | 'unknown'; lastError?: string }[] }[];
}

interface Targets {
  activeTargets: { labels: { job: string; instance: string }; health: string; lastError: string }[];
}

/** A running Prometheus, asked over its HTTP interface. */
export class PrometheusQueries {
  /** @param headers what goes with each request, where something stands before Prometheus */
  constructor(
    private readonly url: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  /**
   * Series of an expression that had a number (not NaN) at some second between two moments, in ms.
   * @throws Error with Prometheus' own words when it refuses the expression
   */
  async seriesWithData(expr: string, from: number, to: number): Promise<number> {
    const range = new URLSearchParams({
      query: expr,
      start: String(from / 1000),
      end: String(to / 1000),
      step: '1',
    });
    const { result } = await this.ask<Matrix>(`query_range?${range}`);
    return result.filter(({ values }) => values.some(([, value]) => value !== 'NaN')).length;
  }

  /** Rules that Prometheus could not evaluate, as `name: error`. Waits until it has tried each. */
  async failedRules(): Promise<string[]> {
    for (;;) {
      const { groups } = await this.ask<RuleGroups>('rules');
      const rules = groups.flatMap((group) => group.rules);
      if (rules.every(({ health }) => health !== 'unknown'))
        return rules
          .filter(({ health }) => health === 'err')
          .map((rule) => `${rule.name}: ${rule.lastError}`);
      await delay(500);
    }
  }

  /** Targets that could not be scraped for all of `graceMs`, as `job instance: error`: one may have just come back. */
  async deadTargets(graceMs: number): Promise<string[]> {
    for (const end = Date.now() + graceMs; ; await delay(500)) {
      const { activeTargets } = await this.targets();
      const dead = activeTargets.filter(({ health }) => health !== 'up');
      if (dead.length === 0 || Date.now() > end)
        return dead.map(({ labels, lastError }) => `${labels.job} ${labels.instance}: ${lastError}`);
    }
  }

  /** Those of some jobs that have nothing to scrape. */
  async missingJobs(jobs: string[]): Promise<string[]> {
    const { activeTargets } = await this.targets();
    const scraped = new Set(activeTargets.map(({ labels }) => labels.job));
    return jobs.filter((job) => !scraped.has(job));
  }

  /** Where it sends its alerts. */
  async alertmanagers(): Promise<string[]> {
    const { activeAlertmanagers } = await this.ask<{ activeAlertmanagers: { url: string }[] }>(
      'alertmanagers',
    );
    return activeAlertmanagers.map(({ url }) => url);
  }

  private targets(): Promise<Targets> {
    return this.ask<Targets>('targets?state=active');
  }

  private async ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/${path}`, {
      headers: this.headers,
      signal: AbortSignal.timeout(10_000),
    });
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success') throw new Error(answer.error ?? `answered with ${response.status}`);
    return answer.data;
  }
}

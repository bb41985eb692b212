import { request } from 'node:http';
import type { UpstreamEntry } from '../config/entity.schema';

export interface Target {
  host: string;
  port: number;
  /** host:port */
  name: string;
}
export type Outcome = 'success' | 'httpFailure' | 'tcpFailure' | 'timeout';
type Check = 'active' | 'passive';

interface State {
  target: Target;
  healthy: boolean;
  counts: Record<Outcome, number>;
  probing: boolean;
  nextProbeAtMs: number;
}

/** Which targets of an upstream may be used. All are, until checks say otherwise. */
export class HealthChecker {
  private states: Map<string, State>;
  private timer?: NodeJS.Timeout;

  /** `known` are verdicts that survive a reload; `onChange` is told of each new one. */
  constructor(
    private readonly config: UpstreamEntry['healthchecks'],
    targets: Target[],
    known: ReadonlyMap<string, boolean>,
    private readonly onChange: (target: Target, healthy: boolean) => void,
  ) {
    this.states = statesOf(targets, (name) => known.get(name) ?? true);
  }

  /** Checks these from now on; those of before keep what is known of them, new ones may be used until checks say otherwise. */
  follow(targets: Target[]): void {
    const former = this.states;
    this.states = statesOf(targets, () => true);
    for (const name of this.states.keys()) {
      const state = former.get(name);
      if (state) this.states.set(name, state);
    }
  }

  start(): void {
    const { healthy, unhealthy } = this.config.active;
    const intervals = [healthy.interval, unhealthy.interval].filter((interval) => interval > 0);
    if (intervals.length === 0 || this.states.size === 0) return;
    this.timer = setInterval(() => this.probeDue(), Math.min(...intervals, 1) * 500);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  isHealthy(target: Target): boolean {
    return this.states.get(target.name)?.healthy ?? false;
  }

  verdicts(): Map<string, boolean> {
    return new Map([...this.states].map(([name, state]) => [name, state.healthy]));
  }

  /** A status that a proxied request got from the target. */
  reportStatus(target: Target, status: number): void {
    this.judgeStatus('passive', target, status);
  }

  /** A proxied request that got no answer. */
  reportFault(target: Target, outcome: 'tcpFailure' | 'timeout'): void {
    this.count('passive', target, outcome);
  }

  private judgeStatus(check: Check, target: Target, status: number): void {
    const { healthy, unhealthy } = this.config[check];
    if (healthy.http_statuses.includes(status)) this.count(check, target, 'success');
    else if (unhealthy.http_statuses.includes(status)) this.count(check, target, 'httpFailure');
  }

  private count(check: Check, target: Target, outcome: Outcome): void {
    const state = this.states.get(target.name);
    if (!state) return;
    const { healthy, unhealthy } = this.config[check];
    const threshold = {
      success: healthy.successes,
      httpFailure: unhealthy.http_failures,
      tcpFailure: unhealthy.tcp_failures,
      timeout: unhealthy.timeouts,
    }[outcome];
    if (threshold === 0) return;
    if ((outcome === 'success') === state.healthy) {
      if (outcome === 'success') state.counts = { success: 0, httpFailure: 0, tcpFailure: 0, timeout: 0 };
      return;
    }
    state.counts[outcome] += 1;
    if (state.counts[outcome] < threshold) return;
    state.healthy = outcome === 'success';
    state.counts = { success: 0, httpFailure: 0, tcpFailure: 0, timeout: 0 };
    this.onChange(target, state.healthy);
  }

  private probeDue(): void {
    const nowMs = Date.now();
    const { healthy, unhealthy } = this.config.active;
    for (const state of this.states.values()) {
      const interval = state.healthy ? healthy.interval : unhealthy.interval;
      if (interval === 0 || state.probing || nowMs < state.nextProbeAtMs) continue;
      state.probing = true;
      state.nextProbeAtMs = nowMs + interval * 1000;
      this.probe(state);
    }
  }

  private probe(state: State): void {
    const { http_path: path, timeout } = this.config.active;
    const { target } = state;
    let timedOut = false;
    const probe = request({
      host: target.host,
      port: target.port,
      path,
      agent: false,
      headers: { connection: 'close' },
    });
    const deadline = setTimeout(() => {
      timedOut = true;
      probe.destroy();
    }, timeout * 1000);
    const done = (judge: () => void) => {
      if (!state.probing) return;
      clearTimeout(deadline);
      state.probing = false;
      judge();
    };
    probe.on('response', (response) => {
      response.on('error', () => undefined).resume();
      done(() => this.judgeStatus('active', target, response.statusCode!));
    });
    probe.on('error', () => done(() => this.count('active', target, timedOut ? 'timeout' : 'tcpFailure')));
    probe.on('close', () => done(() => this.count('active', target, 'timeout')));
    probe.end();
  }
}

function statesOf(targets: Target[], isHealthy: (name: string) => boolean): Map<string, State> {
  const blank = (target: Target): State => ({
    target,
    healthy: isHealthy(target.name),
    counts: { success: 0, httpFailure: 0, tcpFailure: 0, timeout: 0 },
    probing: false,
    nextProbeAtMs: 0,
  });
  return new Map(targets.map((target) => [target.name, blank(target)]));
}

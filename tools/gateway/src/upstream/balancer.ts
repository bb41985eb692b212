import { Agent } from 'node:http';
import type { UpstreamEntry } from '../config/entity.schema';
import { Addresses, type Lookup } from './addresses';
import { HealthChecker, type Target } from './health';

/** Chooses a target for each request and keeps connections to them. */
export class Balancer {
  readonly health: HealthChecker;
  private readonly addresses: Addresses;
  private targets: Target[];
  private readonly open: Map<string, number>;
  private next = 0;

  /** `previous` hands over its verdicts and open counts at a reload. */
  constructor(
    readonly name: string,
    private readonly algorithm: UpstreamEntry['algorithm'],
    targets: string[],
    healthchecks: UpstreamEntry['healthchecks'],
    previous: Balancer | undefined,
    onChange: (upstream: string, target: Target, healthy: boolean) => void,
    addressesOf?: Lookup,
  ) {
    this.open = previous?.open ?? new Map();
    const named = targets.map((target) => {
      const [host, port] = target.split(':') as [string, string];
      return { host, port: Number(port), name: target };
    });
    const follow = (peers: Target[]): void => this.follow(peers);
    this.addresses = new Addresses(named, follow, addressesOf, previous?.addresses);
    this.targets = this.addresses.peers();
    const known = previous?.health.verdicts() ?? new Map();
    this.health = new HealthChecker(healthchecks, this.targets, known, (target, healthy) =>
      onChange(name, target, healthy),
    );
  }

  /** Begins to look names up and to check health. */
  start(): void {
    this.addresses.start();
    this.health.start();
  }

  /** Looks names up now. */
  look(): Promise<void> {
    return this.addresses.look();
  }

  stop(): void {
    this.addresses.stop();
    this.health.stop();
  }

  /** What stands behind the names has changed; whoever stays keeps his verdict. */
  private follow(peers: Target[]): void {
    this.targets = peers;
    this.health.follow(peers);
  }

  /** A healthy target, one that was not tried yet where there is one; `undefined` when none is healthy. */
  choose(tried: ReadonlySet<Target>): Target | undefined {
    const healthy = this.targets.filter((target) => this.health.isHealthy(target));
    const fresh = healthy.filter((target) => !tried.has(target));
    const choice = fresh.length > 0 ? fresh : healthy;
    if (choice.length === 0) return undefined;
    const start = this.next++ % choice.length;
    const turned = [...choice.slice(start), ...choice.slice(0, start)];
    if (this.algorithm === 'round-robin') return turned[0];
    return turned.reduce((best, target) => (this.count(target) < this.count(best) ? target : best));
  }

  /** Counts a request or socket as open until the returned function is called. */
  hold(target: Target): () => void {
    this.open.set(target.name, this.count(target) + 1);
    let held = true;
    return () => {
      if (held) this.open.set(target.name, this.count(target) - 1);
      held = false;
    };
  }

  private count(target: Target): number {
    return this.open.get(target.name) ?? 0;
  }
}

/** One pool of connections for all targets; it outlives reloads. */
export function createAgent(): Agent {
  return new Agent({ keepAlive: true, maxFreeSockets: 64, noDelay: true } as ConstructorParameters<
    typeof Agent
  >[0]);
}

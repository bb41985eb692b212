import type { KongDocument } from './config/entity.schema';
import type { PluginEntry, RedisConfig } from './config/plugin.schema';
import { FunctionPlugin } from './lua/functions';
import { CorsPlugin } from './plugins/cors';
import { JwtPlugin, readCredentials, VerifiedTokens } from './plugins/jwt';
import { priorities, type Plugin } from './plugins/plugin';
import { RateLimitingPlugin } from './plugins/rate-limiting';
import { LocalCounters, RedisCounters } from './plugins/rate-store';
import { CorrelationIdPlugin, RequestSizePlugin, RequestTerminationPlugin } from './plugins/simple';
import { compileService, Router, type CompiledRoute, type CompiledService } from './router';
import { Balancer } from './upstream/balancer';
import type { Target } from './upstream/health';

export interface RuntimeEvents {
  targetChanged(upstream: string, target: Target, healthy: boolean): void;
  redisFailed(error: Error): void;
}

/** Everything that one configuration makes. A reload builds the next one and takes over counters and verdicts. */
export class Runtime {
  readonly router: Router;
  readonly balancers: Map<string, Balancer>;
  /** Those that also see requests without a route. */
  readonly globalPlugins: Plugin[];
  private readonly localCounters: LocalCounters;
  private readonly redisCounters = new Map<string, RedisCounters>();

  constructor(
    readonly document: KongDocument,
    private readonly events: RuntimeEvents,
    /** Authorities that Redis is trusted by, in PEM; absent: those that Node knows. */
    private readonly trusted: Buffer | undefined,
    private previous?: Runtime,
  ) {
    this.localCounters = previous?.localCounters ?? new LocalCounters();
    const build = this.pluginBuilder();
    const globals = document.plugins.map((entry) => build(entry, 'global'));
    this.globalPlugins = inOrder(globals);

    const routes: CompiledRoute[] = document.routes.map((entry) => {
      const own = entry.plugins.map((plugin) => build(plugin, `route:${entry.name}`));
      return { entry, plugins: override(globals, own) };
    });
    for (const service of document.services) {
      const compiled: CompiledService = compileService(service);
      const shared = service.plugins.map((plugin) => build(plugin, `service:${service.name}`));
      for (const entry of service.routes) {
        const own = entry.plugins.map((plugin) => build(plugin, `route:${entry.name}`));
        routes.push({ entry, service: compiled, plugins: override(globals, shared, own) });
      }
    }
    this.router = new Router(routes);
    this.balancers = new Map(
      document.upstreams.map(({ name, algorithm, targets, healthchecks }) => [
        name,
        new Balancer(
          name,
          algorithm,
          targets.map(({ target }) => target),
          healthchecks,
          previous?.balancers.get(name),
          events.targetChanged,
        ),
      ]),
    );
  }

  /** Resolves when rate limits can be counted, or when it is known that they cannot for now. */
  async settled(): Promise<void> {
    await Promise.all([...this.redisCounters.values()].map((counters) => counters.settled()));
  }

  /** Begins the health checks and ends those of the configuration before. */
  start(): void {
    this.previous?.balancers.forEach((balancer) => balancer.stop());
    this.balancers.forEach((balancer) => balancer.start());
    this.previous?.redisCounters.forEach((counters, key) => {
      if (!this.redisCounters.has(key)) counters.close();
    });
    this.previous = undefined;
  }

  stop(): void {
    this.balancers.forEach((balancer) => balancer.stop());
    this.redisCounters.forEach((counters) => counters.close());
  }

  private pluginBuilder(): (entry: PluginEntry, scope: string) => Plugin {
    const verified = new VerifiedTokens(readCredentials(this.document.consumers));
    return (entry, scope) => {
      switch (entry.name) {
        case 'correlation-id':
          return new CorrelationIdPlugin(entry.config);
        case 'cors':
          return new CorsPlugin(entry.config);
        case 'jwt':
          return new JwtPlugin(entry.config, verified);
        case 'rate-limiting': {
          const { policy, redis } = entry.config;
          return new RateLimitingPlugin(
            entry.config,
            scope,
            policy === 'redis' ? this.countersIn(redis!) : this.localCounters,
          );
        }
        case 'request-size-limiting':
          return new RequestSizePlugin(entry.config);
        case 'request-termination':
          return new RequestTerminationPlugin(entry.config);
        case 'prometheus':
          return { name: 'prometheus' };
        case 'pre-function':
        case 'post-function':
          return new FunctionPlugin(entry);
      }
    };
  }

  private countersIn(config: RedisConfig): RedisCounters {
    const key = JSON.stringify([config, this.trusted?.toString()]);
    const counters =
      this.redisCounters.get(key) ??
      this.previous?.redisCounters.get(key) ??
      new RedisCounters(config, this.trusted, this.events.redisFailed);
    this.redisCounters.set(key, counters);
    return counters;
  }
}

/** Per plugin name the most specific configuration wins: route over service over global. */
function override(...levels: Plugin[][]): Plugin[] {
  return inOrder([...new Map(levels.flat().map((plugin) => [plugin.name, plugin])).values()]);
}

function inOrder(plugins: Plugin[]): Plugin[] {
  return [...plugins].sort((left, right) => priorities[right.name] - priorities[left.name]);
}

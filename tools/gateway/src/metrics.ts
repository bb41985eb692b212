import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Named as Kong's prometheus plugin names them, so that one dashboard serves both. */
export class GatewayMetrics {
  readonly registry = new Registry();
  readonly requests = new Counter({
    name: 'kong_http_requests_total',
    help: 'Requests by service, route, status and who answered (service, exit, error).',
    labelNames: ['service', 'route', 'code', 'source'],
    registers: [this.registry],
  });
  readonly latency = new Histogram({
    name: 'kong_request_latency_ms',
    help: 'Milliseconds from the request to the end of its answer; sockets are not counted.',
    labelNames: ['service', 'route'],
    buckets: [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
    registers: [this.registry],
  });

  constructor(sources: {
    sockets: () => number;
    targets: () => { upstream: string; target: string; healthy: boolean }[];
  }) {
    collectDefaultMetrics({ register: this.registry });
    const health: Gauge = new Gauge({
      name: 'kong_upstream_target_health',
      help: '1 for the state in which a target is.',
      labelNames: ['upstream', 'target', 'state'],
      registers: [this.registry],
      collect: () => {
        health.reset();
        for (const { upstream, target, healthy } of sources.targets())
          for (const state of ['healthy', 'unhealthy'])
            health.set({ upstream, target, state }, (state === 'healthy') === healthy ? 1 : 0);
      },
    });
    const sockets: Gauge = new Gauge({
      name: 'gateway_sockets',
      help: 'Open WebSocket tunnels.',
      registers: [this.registry],
      collect: () => {
        sockets.set(sources.sockets());
      },
    });
  }
}

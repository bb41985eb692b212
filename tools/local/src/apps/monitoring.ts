import { startExporters } from '../servers/exporters';
import { type Prometheus, startPrometheus } from '../servers/prometheus';
import type { Servers } from '../servers/servers';
import { freePort } from '../system/ports';
import type { Apps, AppsSetup } from './apps';
import { APPS } from './catalogue';
import type { GatewayInstance } from './gateway';
import type { LoadBalancer } from './load-balancer';

export interface MonitoringOptions {
  /** Of scrapes, e.g. `1s`; the configuration's own where nothing is said. */
  interval?: string;
  /** Also what tells of PostgreSQL, Redis and the machine. */
  exporters?: boolean;
}

/** What is watched. */
export interface Watched {
  servers: Servers;
  apps: Apps;
  gateways: readonly GatewayInstance[];
  loadBalancer?: LoadBalancer;
}

/** Starts a Prometheus that scrapes all of a deployment, and stops it again with what it needs besides. */
export async function startMonitoring(
  { dir, workspace }: Pick<AppsSetup, 'dir' | 'workspace'>,
  { servers, apps, gateways, loadBalancer }: Watched,
  options: MonitoringOptions,
  onProgress: (line: string) => void,
): Promise<Prometheus> {
  const { postgres, redis, rabbitmq } = servers;
  const exporters = options.exporters
    ? await startExporters({ dir, databaseUrl: postgres.url, redisUrl: redis.url, onProgress })
    : undefined;
  try {
    const prometheus = await startPrometheus({
      dir,
      workspace,
      port: await freePort(),
      targets: {
        ...Object.fromEntries(APPS.map((app) => [app, apps.of(app).map(({ port }) => `127.0.0.1:${port}`)])),
        kong: gateways.map(({ statusPort }) => `127.0.0.1:${statusPort}`),
        'load-balancer': loadBalancer ? [new URL(loadBalancer.metricsUrl).host] : [],
        ...exporters?.targets,
        rabbitmq: rabbitmq.metricsAddress ? [rabbitmq.metricsAddress] : [],
      },
      ...(options.interval === undefined ? {} : { interval: options.interval }),
      onProgress,
    });
    const stop = async (): Promise<void> => {
      await prometheus.stop();
      await exporters?.stop();
    };
    return { ...prometheus, stop };
  } catch (error) {
    await exporters?.stop();
    throw error;
  }
}

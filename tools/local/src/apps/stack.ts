import { ensureKeys, type KeyFiles } from '../keys';
import { makeCertificates } from '../servers/certificates';
import type { Prometheus } from '../servers/prometheus';
import type { MongoServer } from '../servers/server';
import { type Servers, startServers, type StartServersOptions } from '../servers/servers';
import { type Apps, type AppsSetup, startApps } from './apps';
import { type GatewayInstance, type GatewayOptions, renderGatewayConfig, startGateway } from './gateway';
import type { Instance } from './instance';
import { type LoadBalancer, startLoadBalancer, trustedIps } from './load-balancer';
import { migrate } from './migrate';
import { type MonitoringOptions, startMonitoring } from './monitoring';

/** Everything that one deployment on this machine is made of. */
export interface Stack {
  readonly servers: Servers;
  readonly keys: KeyFiles;
  readonly apps: Apps;
  /** Where clients go in: the only gateway, or the load balancer in front of several. */
  readonly gateway: Instance;
  /** The nodes of the gateway. */
  readonly gateways: readonly GatewayInstance[];
  /** Present with several gateways. */
  readonly loadBalancer?: LoadBalancer;
  /** Renders the gateways' configuration again, with the keys as they are now; the gateways watch it. */
  renderGateway(): Promise<void>;
  /** Only where it was asked for. */
  readonly prometheus?: Prometheus;
  /** Stops the doors, the apps and the servers, in that order. */
  stop(): Promise<void>;
}

export interface StackOptions extends Pick<
  AppsSetup,
  'workspace' | 'dir' | 'scale' | 'env' | 'envOf' | 'signal'
> {
  /** Another build to take the apps from; the rest, migrations too, is `workspace`'s. */
  appsWorkspace?: string;
  servers?: StartServersOptions;
  gateway?: GatewayOptions;
  /** How many nodes of the gateway, from 1; with two or more HAProxy stands in front of them. */
  gateways?: number;
  /** Variables of docker/haproxy/haproxy.cfg besides addresses. */
  loadBalancer?: Record<string, string>;
  /** Starts a Prometheus with the rules of docker/prometheus beside it all. */
  prometheus?: MonitoringOptions;
  /** A folder for certificates, made where they are missing: every connection but those behind the gateway, or behind the load balancer, is encrypted then. */
  certificates?: string;
  /** Is waited for once the servers run and before the apps start: to hear what these say first. */
  onServers?: (servers: Servers) => Promise<void>;
  /** Called as each step begins, and with the name of each process that is ready. */
  onStep?: (step: string) => void;
  onReady?: (name: string) => void;
}

/**
 * Starts servers, migrations, apps and gateway of a built workspace under `dir`.
 * @throws LocalError, or the reason of `signal` once that is aborted; what had started is stopped before.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, certificates, onStep = () => undefined } = options;
  options.signal?.throwIfAborted();
  const mongo = options.servers?.store === 'mongodb' ? ', MongoDB' : '';
  onStep(`Starting PostgreSQL${mongo}, Redis and RabbitMQ, migrating the databases`);
  if (certificates !== undefined) await makeCertificates(options.workspace, certificates);
  const keys = await ensureKeys(dir);
  const setupWith = (environment: Record<string, string>): AppsSetup => ({ ...options, environment, keys });
  const servers = await startServers(dir, {
    certificates,
    ...options.servers,
    withDatabases: (environment) => migrate(setupWith(environment)),
  });
  const started: { stop(): Promise<void> }[] = [servers];
  const stop = async (): Promise<void> => {
    for (const one of [...started].reverse()) await one.stop();
  };
  try {
    if (servers.mongodb) onStep(`Messages are kept in ${describe(servers.mongodb)}`);
    options.signal?.throwIfAborted();
    await options.onServers?.(servers);
    const setup = setupWith(servers.environment);
    onStep('Starting the apps');
    const apps = await startApps({ ...setup, workspace: options.appsWorkspace ?? options.workspace });
    started.push(apps);
    options.signal?.throwIfAborted();
    onStep('Starting the gateway');
    const config = await renderGatewayConfig(setup, apps, { certificates, ...options.gateway });
    const renderGateway = async (): Promise<void> =>
      void (await renderGatewayConfig(setup, apps, { certificates, ...options.gateway }));
    const doors = await startDoors(setup, config, options, started);
    if (!options.prometheus) return { servers, keys, apps, ...doors, renderGateway, stop };
    onStep('Starting Prometheus');
    const watched = { servers, apps, ...doors };
    const prometheus = await startMonitoring(setup, watched, options.prometheus, onStep);
    started.push(prometheus);
    return { servers, keys, apps, ...doors, prometheus, renderGateway, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The gateways, and what stands in front of them. */
async function startDoors(
  setup: AppsSetup,
  config: string,
  options: StackOptions,
  started: { stop(): Promise<void> }[],
): Promise<Pick<Stack, 'gateway' | 'gateways' | 'loadBalancer'>> {
  const { gateway: { port } = {}, gateways: count = 1, loadBalancer: env = {}, certificates } = options;
  if (count === 1) {
    const gateway = await startGateway(setup, config, { certificates, ...(port !== undefined && { port }) });
    started.push(gateway);
    return { gateway, gateways: [gateway] };
  }
  const gateways: GatewayInstance[] = [];
  for (let node = 1; node <= count; node++) {
    const gateway = await startGateway(setup, config, { name: `gateway-${node}`, trustedIps, certificates });
    gateways.push(gateway);
    started.push(gateway);
  }
  const loadBalancer = await startLoadBalancer(setup, gateways, {
    env,
    certificates,
    ...(options.onStep && { onProgress: options.onStep }),
    ...(port !== undefined && { port }),
  });
  started.push(loadBalancer);
  return { gateway: loadBalancer, gateways, loadBalancer };
}

function describe({ kind, managed }: MongoServer): string {
  if (kind === 'ferretdb') return 'FerretDB, which stands in for MongoDB and keeps its data in PostgreSQL';
  return managed ? 'MongoDB' : 'the MongoDB of MONGODB_URL';
}

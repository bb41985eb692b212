import { ensureKeys, type KeyFiles } from '../keys';
import { type Servers, startServers, type StartServersOptions } from '../servers/servers';
import { type Apps, type AppsSetup, startApps } from './apps';
import { type GatewayOptions, startGateway } from './gateway';
import type { Instance } from './instance';
import { migrate } from './migrate';

/** Everything that one deployment on this machine is made of. */
export interface Stack {
  readonly servers: Servers;
  readonly keys: KeyFiles;
  readonly apps: Apps;
  readonly gateway: Instance;
  /** Stops the gateway, the apps and the servers, in that order. */
  stop(): Promise<void>;
}

export interface StackOptions extends Pick<
  AppsSetup,
  'workspace' | 'dir' | 'scale' | 'env' | 'envOf' | 'signal'
> {
  servers?: StartServersOptions;
  gateway?: GatewayOptions;
  /** Called as each step begins, and with the name of each process that is ready. */
  onStep?: (step: string) => void;
  onReady?: (name: string) => void;
}

/**
 * Starts servers, migrations, apps and gateway of a built workspace under `dir`.
 * @throws LocalError, or the reason of `signal` once that is aborted; what had started is stopped before.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, onStep = () => undefined } = options;
  onStep('Starting PostgreSQL, Redis and RabbitMQ, migrating the databases');
  const keys = await ensureKeys(dir);
  const setupWith = (environment: Record<string, string>): AppsSetup => ({ ...options, environment, keys });
  const servers = await startServers(dir, {
    ...options.servers,
    withPostgres: (environment) => migrate(setupWith(environment)),
  });
  const started: { stop(): Promise<void> }[] = [servers];
  const stop = async (): Promise<void> => {
    for (const one of [...started].reverse()) await one.stop();
  };
  try {
    options.signal?.throwIfAborted();
    const setup = setupWith(servers.environment);
    onStep('Starting the apps');
    const apps = await startApps(setup);
    started.push(apps);
    options.signal?.throwIfAborted();
    onStep('Starting the gateway');
    const gateway = await startGateway(setup, apps, options.gateway);
    started.push(gateway);
    return { servers, keys, apps, gateway, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

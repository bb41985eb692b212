import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type AppName,
  type GivenServers,
  givenServers,
  hold,
  type Instance,
  letGo,
  type MessageStore,
  type Scale,
  type Stack,
  type StackOptions,
  startStack,
} from '@parley/tool-local';

const WORKSPACE = resolve(__dirname, '../../..');

export interface SystemOptions {
  /** Begins the name of the temporary directory. */
  name: string;
  scale?: Scale;
  /** With two or more HAProxy stands in front of them. */
  gateways?: number;
  /** Where messages are kept; postgresql where nothing is said. */
  store?: MessageStore;
  /** Another build to take the apps from. */
  appsWorkspace?: string;
  env?: Record<string, string>;
  envOf?: Partial<Record<AppName, Record<string, string>>>;
  prometheus?: StackOptions['prometheus'];
  /** False leaves the directory, with data and logs, in place at the end. */
  isTemporary: boolean;
  /** Once aborted, nothing more is started and what runs is stopped. */
  signal: AbortSignal;
  say: (line: string) => void;
}

export interface System extends Stack {
  readonly dir: string;
}

/** Limits that protect a deployment from single users, out of the way of a few who stand for many. */
const WIDE_LIMITS = {
  apps: {
    SOCKET_EVENTS_PER_SECOND: '100000',
    SOCKET_EVENTS_BURST: '100000',
    REGISTRATIONS_PER_ADDRESS_MAX: '1000000',
    LOG_LEVEL: 'warn',
  },
  gateway: {
    RL_USER_SECOND: '100000',
    RL_USER_MINUTE: '1000000',
    RL_SOCKET_MINUTE: '100000',
    RL_ADDRESS_MINUTE: '1000000',
    RL_ADDRESS_HOUR: '1000000',
    RL_PUBLIC_MINUTE: '1000000',
  },
};

/**
 * Starts a whole deployment of its own under a temporary directory: servers with every durability setting on, all apps,
 * the gateway. Only the per-user and per-address limits are widened.
 * @throws the reason of `signal` once that is aborted; what had started is stopped before.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const dir = mkdtempSync(join(tmpdir(), `parley-${options.name}-`));
  // PostgreSQL runs under another account where we are root, and must reach its data.
  chmodSync(dir, 0o755);
  // It holds gigabytes at times: it goes, too, when this process is killed.
  hold(dir, options, { removes: options.isTemporary });
  const clean = (): void => {
    letGo(options);
    if (options.isTemporary) rmSync(dir, { recursive: true, force: true });
    else options.say(`Data and logs are in ${dir}`);
  };
  try {
    const stack = await startStack({
      workspace: WORKSPACE,
      dir,
      signal: options.signal,
      ...(options.scale ? { scale: options.scale } : {}),
      ...(options.appsWorkspace ? { appsWorkspace: options.appsWorkspace } : {}),
      ...(options.gateways ? { gateways: options.gateways } : {}),
      env: { ...WIDE_LIMITS.apps, ...options.env },
      ...(options.envOf ? { envOf: options.envOf } : {}),
      ...(options.prometheus ? { prometheus: options.prometheus } : {}),
      servers: {
        onProgress: options.say,
        ...(options.store ? { store: options.store } : {}),
        given: mongoOnly(process.env),
      },
      gateway: { env: WIDE_LIMITS.gateway },
      onStep: options.say,
    });
    const stop = async (): Promise<void> => {
      await stack.stop();
      clean();
    };
    return { ...stack, dir, stop };
  } catch (error) {
    clean();
    throw error;
  }
}

/** Every process that serves: apps, gateways, and the load balancer where there is one. */
export function instancesOf({ apps, gateways, loadBalancer }: Stack): Instance[] {
  return [...apps.instances, ...gateways, ...(loadBalancer ? [loadBalancer] : [])];
}

/** What runs already is left alone, but for a MongoDB, which cannot be started everywhere. */
function mongoOnly(env: NodeJS.ProcessEnv): GivenServers {
  const { mongodbUrl, tls } = givenServers(env);
  return { ...(mongodbUrl ? { mongodbUrl } : {}), ...(tls ? { tls } : {}) };
}

/** The store as reports name it. */
export function storeOf({ servers: { mongodb } }: Stack): string {
  if (!mongodb) return 'PostgreSQL';
  return mongodb.kind === 'ferretdb' ? 'FerretDB over PostgreSQL, in place of MongoDB' : 'MongoDB';
}

/** The ids of all server processes, by the name under which their cost is reported. */
export function pidsOf({ apps, gateway, servers }: Stack): Map<string, number[]> {
  const pids = new Map<string, number[]>();
  const add = (name: string, pid: number | undefined): void => {
    if (pid !== undefined) pids.set(name, [...(pids.get(name) ?? []), pid]);
  };
  for (const instance of apps.instances) add(instance.app, instance.pid);
  add('gateway', gateway.pid);
  for (const name of ['postgres', 'redis', 'rabbitmq', 'mongodb'] as const) add(name, servers[name]?.pid);
  return pids;
}

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type AppName,
  certificatePaths,
  hold,
  type Instance,
  letGo,
  LocalError,
  type MessageStore,
  type Scale,
  type Stack,
  type StackOptions,
  startStack,
} from '@parley/tool-local';
import { dropGivenMongo, givenMongo } from './given-mongo';

const WORKSPACE = resolve(__dirname, '../../..');
/** Where the launcher has made them, and had Node trust their authority: see `trustOwnAuthority`. */
const CERTIFICATES = join(WORKSPACE, '.local', 'certificates');

export interface SystemOptions {
  /** Begins the name of the temporary directory. */
  name: string;
  scale?: Scale;
  /** With two or more HAProxy stands in front of them. */
  gateways?: number;
  /** Where messages are kept; postgresql where nothing is said. */
  store?: MessageStore;
  /** Of a MongoDB of our own (default 1). */
  mongoMembers?: number;
  /** Whether every connection but those behind the gateway is encrypted. */
  tls?: boolean;
  /** Another build to take the apps from. */
  appsWorkspace?: string;
  env?: Record<string, string>;
  envOf?: Partial<Record<AppName, Record<string, string>>>;
  prometheus?: StackOptions['prometheus'];
  onServers?: StackOptions['onServers'];
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

/** Nothing that is not encrypted may go unnoticed. */
const TLS_ENVIRONMENT = { TLS_REQUIRED: 'true' };

/**
 * Starts a whole deployment of its own under a temporary directory: servers with every durability setting on, all apps,
 * the gateway. Only the per-user and per-address limits are widened.
 * @throws LocalError with `tls` where this process does not trust our authority
 * @throws the reason of `signal` once that is aborted; what had started is stopped before.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  if (options.tls) requireTrust();
  const dir = mkdtempSync(join(tmpdir(), `parley-${options.name}-`));
  // PostgreSQL runs under another account where we are root, and must reach its data.
  chmodSync(dir, 0o755);
  // It holds gigabytes at times: it goes, too, when this process is killed.
  hold(dir, options, { removes: options.isTemporary });
  const given = options.store === 'mongodb' ? givenMongo(process.env, options.name) : {};
  const clean = async (): Promise<void> => {
    if (options.isTemporary)
      await dropGivenMongo(given).catch((error: Error) =>
        options.say(`The database of this run stays in the MongoDB of MONGODB_URL: ${error.message}`),
      );
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
      ...(options.tls ? { certificates: CERTIFICATES } : {}),
      env: { ...WIDE_LIMITS.apps, ...(options.tls ? TLS_ENVIRONMENT : {}), ...options.env },
      ...(options.envOf ? { envOf: options.envOf } : {}),
      ...(options.onServers ? { onServers: options.onServers } : {}),
      ...(options.prometheus ? { prometheus: options.prometheus } : {}),
      servers: {
        onProgress: options.say,
        ...(options.store ? { store: options.store } : {}),
        ...(options.mongoMembers ? { mongoMembers: options.mongoMembers } : {}),
        given,
      },
      gateway: { env: WIDE_LIMITS.gateway },
      onStep: options.say,
    });
    const stop = async (): Promise<void> => {
      await stack.stop();
      await clean();
    };
    return { ...stack, dir, stop };
  } catch (error) {
    await clean();
    throw error;
  }
}

/** Clients in this process meet the gateway as any client does, by whom Node trusts. */
function requireTrust(): void {
  const { ca } = certificatePaths(CERTIFICATES, 'gateway');
  if (process.env['NODE_EXTRA_CA_CERTS'] === ca) return;
  throw new LocalError(`Node was not told to trust ${ca}.`, 'Start it by npm run, which does so with --tls.');
}

/** Every process that serves: apps, gateways, and the load balancer where there is one. */
export function instancesOf({ apps, gateways, loadBalancer }: Stack): Instance[] {
  return [...apps.instances, ...gateways, ...(loadBalancer ? [loadBalancer] : [])];
}

/** How the system was started, as reports begin. */
export function conditionsOf({ servers: { mongodb, tls } }: Stack): string {
  const ferret = mongodb?.kind === 'ferretdb' ? 'FerretDB over PostgreSQL, in place of MongoDB' : 'MongoDB';
  const members = (mongodb?.members.length ?? 0) > 1 ? `, a replica set of ${mongodb?.members.length}` : '';
  const store = mongodb ? `${ferret}${members}` : 'PostgreSQL';
  return `Messages are kept in ${store}${tls ? '; connections are encrypted' : ''}`;
}

/** The ids of all server processes, by the name under which their cost is reported. */
export function pidsOf({ apps, gateway, servers }: Stack): Map<string, number[]> {
  const pids = new Map<string, number[]>();
  const add = (name: string, pid: number | undefined): void => {
    if (pid !== undefined) pids.set(name, [...(pids.get(name) ?? []), pid]);
  };
  for (const instance of apps.instances) add(instance.app, instance.pid);
  add('gateway', gateway.pid);
  for (const name of ['postgres', 'redis', 'rabbitmq'] as const) add(name, servers[name].pid);
  const { mongodb } = servers;
  if (mongodb && mongodb.members.length === 0) add('mongodb', mongodb.pid);
  for (const member of mongodb?.members ?? []) add('mongodb', member.pid);
  return pids;
}

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { OwnedProcess } from '../process/owned-process';
import { certificatePaths } from './certificates';
import type { RabbitServer } from './server';

export interface RabbitPlan {
  /** The run directory; data goes to `<dir>/rabbitmq`. */
  dir: string;
  ports: { amqp: number; management: number; distribution: number; epmd: number; metrics: number };
  password: string;
  erlangCookie: string;
  programs: { rabbitmqServer: string; epmd: string };
  /** A folder of certificates: only encrypted connections of clients with a certificate are taken then. */
  certificates?: string;
}

const USER = 'parley';
const START_TIMEOUT_MS = 120_000;

/**
 * Prepares a private RabbitMQ with its management API. All of its ports listen on 127.0.0.1 only; the Erlang
 * distribution port too, which RabbitMQ by itself opens to the network.
 */
export function rabbitServer(plan: RabbitPlan): RabbitServer {
  const home = join(plan.dir, 'rabbitmq');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(join(home, 'rabbitmq.conf'), configuration(plan), { mode: 0o600 });
  writeFileSync(join(home, 'enabled_plugins'), '[rabbitmq_management,rabbitmq_prometheus].\n');
  const cookie = join(home, '.erlang.cookie');
  if (!existsSync(cookie)) writeFileSync(cookie, plan.erlangCookie, { mode: 0o400 });
  const env = environment(plan, home);
  const common = { dir: plan.dir, env, cwd: home, stopSignal: 'SIGTERM' as const };
  const epmd = new OwnedProcess({
    ...common,
    name: 'epmd',
    command: plan.programs.epmd,
    args: ['-address', '127.0.0.1', '-port', String(plan.ports.epmd)],
    logFile: join(plan.dir, 'logs', 'epmd.log'),
    stopTimeoutMs: 5_000,
  });
  const broker = new OwnedProcess({
    ...common,
    name: 'rabbitmq',
    command: plan.programs.rabbitmqServer,
    args: [],
    logFile: join(plan.dir, 'logs', 'rabbitmq.log'),
    stopTimeoutMs: 60_000,
  });
  const managementUrl = `http://${USER}:${plan.password}@127.0.0.1:${plan.ports.management}`;
  const end = async (how: 'stop' | 'kill'): Promise<void> => {
    await broker[how]();
    await epmd[how]();
  };
  return {
    name: 'rabbitmq',
    url:
      plan.certificates === undefined
        ? `amqp://${USER}:${plan.password}@127.0.0.1:${plan.ports.amqp}`
        : `amqps://${USER}:${plan.password}@localhost:${plan.ports.amqp}`,
    managementUrl,
    metricsAddress: `127.0.0.1:${plan.ports.metrics}`,
    managed: true,
    get pid() {
      return broker.pid;
    },
    async start() {
      epmd.start();
      await epmd.waitUntil(() => accepts(plan.ports.epmd), START_TIMEOUT_MS);
      broker.start();
      await broker.waitUntil(() => isListening(managementUrl, plan.ports.amqp), START_TIMEOUT_MS);
    },
    stop: () => end('stop'),
    kill: () => end('kill'),
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
  };
}

function listeners({ ports, certificates }: RabbitPlan): string[] {
  if (certificates === undefined) return [`listeners.tcp.1 = 127.0.0.1:${ports.amqp}`];
  const { ca, cert, key } = certificatePaths(certificates, 'rabbitmq');
  return [
    'listeners.tcp = none',
    `listeners.ssl.1 = 127.0.0.1:${ports.amqp}`,
    `ssl_options.cacertfile = ${ca}`,
    `ssl_options.certfile = ${cert}`,
    `ssl_options.keyfile = ${key}`,
    'ssl_options.verify = verify_peer',
    'ssl_options.fail_if_no_peer_cert = true',
    'ssl_options.versions.1 = tlsv1.3',
    'ssl_options.versions.2 = tlsv1.2',
  ];
}

function configuration(plan: RabbitPlan): string {
  const { ports, password } = plan;
  const lines = [
    ...listeners(plan),
    'management.tcp.ip = 127.0.0.1',
    `management.tcp.port = ${ports.management}`,
    'prometheus.tcp.ip = 127.0.0.1',
    `prometheus.tcp.port = ${ports.metrics}`,
    `default_user = ${USER}`,
    `default_pass = ${password}`,
    'disk_free_limit.absolute = 50MB',
    // As RabbitMQ 4 has it by default, and the images; before it was 128 MiB.
    'max_message_size = 16777216',
    'vm_memory_high_watermark.relative = 0.2',
    'log.console = true',
    'log.console.level = info',
    'log.file = false',
  ];
  return `${lines.join('\n')}\n`;
}

function environment({ ports, certificates }: RabbitPlan, home: string): Record<string, string> {
  return {
    // The cookie file of the person who runs this stays untouched.
    HOME: home,
    RABBITMQ_NODENAME: 'parley@localhost',
    // They would open an unencrypted listener.
    ...(certificates === undefined && {
      RABBITMQ_NODE_PORT: String(ports.amqp),
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    }),
    RABBITMQ_DIST_PORT: String(ports.distribution),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    RABBITMQ_MNESIA_BASE: join(home, 'mnesia'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    // Without this the start script stays as a parent that turns signals into something else; with it the script
    // becomes the Erlang VM, which must then be kept from reading its standard input.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_START_ARGS: '-noinput',
  };
}

async function isListening(managementUrl: string, port: number): Promise<boolean> {
  const { username, password, origin } = new URL(managementUrl);
  try {
    const response = await fetch(`${origin}/api/health/checks/port-listener/${port}`, {
      headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
      signal: AbortSignal.timeout(5_000),
    });
    return response.ok;
  } catch {
    return false;
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

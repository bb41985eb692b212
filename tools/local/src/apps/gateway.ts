import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../process/environment';
import { certificatePaths } from '../servers/certificates';
import { freePort, isPortFree } from '../system/ports';
import { LocalError } from '../system/local-error';
import type { Apps, AppsSetup } from './apps';
import { APPS } from './catalogue';
import { createInstance, type Instance } from './instance';

const run = promisify(execFile);

/** One node of the gateway. */
export interface GatewayInstance extends Instance {
  /** Where `/status/ready` and `/metrics` are served. */
  readonly statusPort: number;
}

export interface GatewayOptions {
  /** A free one where nothing is said. */
  port?: number;
  /** Origins of browsers that may read answers. */
  webOrigins?: string[];
  /** Variables of the renderer, e.g. RL_USER_SECOND, to change rate limits. */
  env?: Record<string, string>;
  /** A folder of certificates, from `makeCertificates`: the port is of HTTPS then. */
  certificates?: string;
}

/** What may differ from node to node. */
interface GatewayNode {
  name?: string;
  port?: number;
  /** The load balancer, which says who the client is and ends encryption. */
  trustedIps?: string;
  /** A folder of certificates: by them Redis is trusted, and clients are served by HTTPS where no load balancer does that. */
  certificates?: string;
}

/** Renders docker/kong/kong.yml for these apps and their keys as they are now; returns its path. */
export async function renderGatewayConfig(
  setup: AppsSetup,
  apps: Apps,
  options: GatewayOptions = {},
): Promise<string> {
  const config = join(realpathSync(setup.dir), 'kong.yml');
  await render(setup, apps, config, options);
  return config;
}

/**
 * Starts one node of the gateway with a rendered configuration, which it watches.
 * @throws LocalError when the port is taken or it does not come up.
 */
export async function startGateway(
  { dir, workspace }: AppsSetup,
  config: string,
  node: GatewayNode = {},
): Promise<GatewayInstance> {
  const port = node.port ?? (await freePort());
  if (node.port !== undefined) await requireFreePort(port);
  const statusPort = await freePort();
  const endsTls = node.certificates !== undefined && node.trustedIps === undefined;
  const gateway = createInstance({
    name: node.name ?? 'gateway',
    dir: realpathSync(dir),
    workspace,
    port,
    program: 'tools/gateway/dist/main.js',
    args: ['--config', config, '--status-port', String(statusPort), ...listener(port, node)],
    env: {},
    ...(endsTls ? { url: `https://localhost:${port}` } : {}),
    readyUrl: `http://127.0.0.1:${statusPort}/status/ready`,
  });
  await gateway.start();
  return Object.assign(gateway, { statusPort });
}

function listener(port: number, { certificates, trustedIps }: GatewayNode): string[] {
  const plain = ['--port', String(port), ...(trustedIps === undefined ? [] : ['--trusted-ips', trustedIps])];
  if (certificates === undefined) return plain;
  const { ca, cert, key } = certificatePaths(certificates, 'gateway');
  if (trustedIps !== undefined) return [...plain, '--trusted', ca];
  return ['--tls-port', String(port), '--tls-cert', cert, '--tls-key', key, '--trusted', ca];
}

/** @throws LocalError that names `--port` as the way out. */
export async function requireFreePort(port: number): Promise<void> {
  if (await isPortFree(port)) return;
  throw new LocalError(
    `Port ${port} on 127.0.0.1 is taken by another program.`,
    `Stop that program, or choose another port: npm start -- --port ${port + 80}`,
  );
}

async function render(
  setup: AppsSetup,
  apps: Apps,
  out: string,
  { env, webOrigins, certificates }: GatewayOptions,
): Promise<void> {
  const targets = APPS.map((app) => [
    `${app.toUpperCase()}_TARGETS`,
    apps
      .of(app)
      .map(({ port }) => `127.0.0.1:${port}`)
      .join(','),
  ]);
  await run(process.execPath, [join(setup.workspace, 'tools/gateway/dist/render.js'), '--out', out], {
    cwd: setup.workspace,
    env: {
      ...inheritedEnvironment(),
      REDIS_URL: setup.environment['REDIS_URL'] ?? '',
      JWT_PUBLIC_KEYS_FILE: setup.keys.publicFile,
      HTTPS_ONLY: String(certificates !== undefined),
      ...(webOrigins ? { WEB_ORIGINS: webOrigins.join(',') } : {}),
      ...(Object.fromEntries(targets) as Record<string, string>),
      ...env,
    },
  });
}

import { once } from 'node:events';
import { copyFileSync, mkdirSync, realpathSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { certificatePaths } from '../servers/certificates';
import { requireProgram } from '../servers/install';
import { freePort } from '../system/ports';
import type { AppsSetup } from './apps';
import type { GatewayInstance } from './gateway';
import { type Instance, instanceOf } from './instance';

/** The address from which the load balancer speaks to its gateways here; other loopback addresses are clients. */
export const trustedIps = '127.0.0.1/32';

/** HAProxy with docker/haproxy/haproxy.cfg as it is, in front of local gateways. */
export interface LoadBalancer extends Instance {
  /** Metrics for Prometheus and `/health/ready`. */
  readonly metricsUrl: string;
  /** Where clients come in without encryption; with certificates they are sent to `url` from there. */
  readonly plainUrl: string;
  /** What is said on the control socket, e.g. `set server gateways/gateway-1 state drain`; resolves to its answer. */
  control(command: string): Promise<string>;
}

/**
 * Starts HAProxy, which is installed first where it is missing, and waits until it has a gateway to send to. Server
 * `gateway-<n>` of its configuration is the n-th one.
 * @param options.certificates a folder of `makeCertificates`: `port` is of HTTPS then, which ends here
 * @throws LocalError when it cannot be installed or does not come up.
 */
export async function startLoadBalancer(
  setup: Pick<AppsSetup, 'workspace' | 'dir'>,
  gateways: readonly GatewayInstance[],
  options: {
    port?: number;
    env?: Record<string, string>;
    certificates?: string;
    onProgress?: (line: string) => void;
  } = {},
): Promise<LoadBalancer> {
  const haproxy = await requireProgram('haproxy', options.onProgress ?? (() => undefined));
  const dir = join(realpathSync(setup.dir), 'load-balancer');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { certificates } = options;
  const port = options.port ?? (await freePort());
  const plainPort = certificates === undefined ? port : await freePort();
  const metricsPort = await freePort();
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const controlSocket = join(dir, 'control.sock');
  const addresses = gateways.map((gateway, index) => ({
    [`GATEWAY_${index + 1}`]: `127.0.0.1:${gateway.port}`,
    [`GATEWAY_${index + 1}_STATUS`]: `127.0.0.1:${gateway.statusPort}`,
  }));
  const instance = instanceOf(
    {
      name: 'load-balancer',
      dir: realpathSync(setup.dir),
      port,
      ...(certificates === undefined ? {} : { url: `https://localhost:${port}` }),
      readyUrl: `http://127.0.0.1:${metricsPort}/health/ready`,
    },
    {
      command: haproxy,
      // In the foreground, as in a container.
      args: ['-db', '-f', join(setup.workspace, 'docker/haproxy/haproxy.cfg')],
      env: {
        BIND_ADDRESS: `127.0.0.1:${plainPort}`,
        ...(certificates === undefined ? {} : listener(port, certificates, dir)),
        METRICS_ADDRESS: `127.0.0.1:${metricsPort}`,
        CONTROL_SOCKET: controlSocket,
        // Two files each, within what any machine allows.
        CONNECTIONS_MAX: '400',
        ...(Object.assign({}, ...addresses) as Record<string, string>),
        ...options.env,
      },
      cwd: dir,
    },
  );
  await instance.start();
  return Object.assign(instance, {
    metricsUrl,
    plainUrl: `http://127.0.0.1:${plainPort}`,
    control: (command: string) => speak(controlSocket, command),
  });
}

/** HAProxy looks for the key beside the certificate, under its name and `.key`: so it is in Compose, too. */
function listener(port: number, certificates: string, dir: string): Record<string, string> {
  const { cert, key } = certificatePaths(certificates, 'gateway');
  const shown = join(dir, 'gateway.pem');
  copyFileSync(cert, shown);
  copyFileSync(key, `${shown}.key`);
  return { TLS_BIND_ADDRESS: `127.0.0.1:${port}`, TLS_CERTIFICATES: shown };
}

async function speak(path: string, command: string): Promise<string> {
  const socket = connect(path);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.write(`${command}\n`);
  await once(socket, 'close');
  return answer.trim();
}

import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { dirname, resolve as resolvePath } from 'node:path';
import { pino, type Logger } from 'pino';
import { type CertificateFiles, readCertificate, watchFiles } from './certificate';
import { loadConfig } from './config/load';
import { RequestHandler } from './handler';
import { answerBroken } from './malformed';
import { GatewayMetrics } from './metrics';
import { TrustedProxies } from './proxy/origin';
import { Tunnels } from './proxy/tunnel';
import { Runtime, type RuntimeEvents } from './runtime';
import { createStatusServer } from './status';
import { createAgent } from './upstream/balancer';

export interface GatewayOptions {
  /** A rendered kong.yml. */
  configFile: string;
  /** Of plain HTTP; 0 takes a free one, absent opens none. */
  port?: number;
  /** Of HTTPS; 0 takes a free one, absent opens none. */
  tls?: CertificateFiles & { port: number };
  /** PEM file of the authorities that Redis is trusted by; absent: those that Node knows. */
  trustedFile?: string;
  host?: string;
  /** Where `/metrics` and `/status/ready` are served; absent: nowhere. */
  statusPort?: number;
  /** Reload when the file changes. */
  watch?: boolean;
  /** Addresses and networks of load balancers in front, whose `X-Forwarded-*` is believed: KONG_TRUSTED_IPS. */
  trustedIps?: readonly string[];
  logger?: Logger;
}

export interface Gateway {
  /** For example `http://127.0.0.1:8000`; the encrypted address where there is one. */
  url: string;
  port?: number;
  tlsPort?: number;
  statusPort?: number;
  /** Takes the file as it is now. Throws `ConfigError` and goes on with the old one when it cannot be used. */
  reload(): Promise<void>;
  /** Takes no new connections, lets running requests end for up to `drainMs`, then closes the sockets. */
  stop(drainMs?: number): Promise<void>;
}

const WATCH_QUIET_MS = 50;
const HEADER_BYTES_MAX = 32 * 1024;
/** As Kong has it; of Node’s 511, a storm of connections loses what comes beyond. */
const BACKLOG = 16_384;

/** Runs a rendered kong.yml. Throws `ConfigError` for a file that it cannot run, and the system's error for a taken port. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const log = options.logger ?? pino({ name: 'gateway', level: 'warn' });
  const events: RuntimeEvents = {
    targetChanged: (upstream, target, healthy) =>
      log.warn({ upstream, target: target.name }, healthy ? 'target is healthy again' : 'target is out'),
    redisFailed: throttled((error: Error) =>
      log.warn({ reason: error.message }, 'rate limits cannot be counted'),
    ),
  };
  const host = options.host ?? '127.0.0.1';
  const certificate = options.tls && readCertificate(options.tls);
  const trusted = () => (options.trustedFile === undefined ? undefined : readFileSync(options.trustedFile));
  let runtime = new Runtime(await loadConfig(options.configFile), events, trusted());
  const agent = createAgent();
  const tunnels = new Tunnels();
  const metrics = new GatewayMetrics({
    sockets: () => tunnels.size,
    targets: () =>
      [...runtime.balancers.values()].flatMap((balancer) =>
        [...balancer.health.verdicts()].map(([target, healthy]) => ({
          upstream: balancer.name,
          target,
          healthy,
        })),
      ),
  });
  const handler = new RequestHandler(
    () => runtime,
    agent,
    tunnels,
    metrics,
    new TrustedProxies(options.trustedIps),
    (error) => log.error({ err: error }, 'a request failed in the gateway'),
  );

  const settings = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: 20_000,
    requestTimeout: 60_000,
    keepAliveTimeout: 65_000,
    noDelay: true,
    requireHostHeader: false, // The handler refuses its absence as a problem.
  };
  const open = options.port === undefined ? undefined : createServer(settings);
  const encrypted = certificate && createTlsServer({ ...settings, ...certificate, minVersion: 'TLSv1.2' });
  const servers: (Server | TlsServer)[] = [open, encrypted].filter((server) => server !== undefined);
  if (servers.length === 0) throw new Error('the gateway is given neither a port nor a certificate');
  const connections = new Set<Socket>();
  for (const server of servers) {
    server.on('request', (request, response) => void handler.handle(request, response, false));
    server.on('checkContinue', (request, response) => void handler.handle(request, response, true));
    server.on('upgrade', (request, socket: Socket, head) => void handler.upgrade(request, socket, head));
    server.on('clientError', answerBroken);
    server.on('connect', (_, socket) => answerBroken(new Error('CONNECT'), socket));
    server.on('connection', (socket: Socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });
  }

  let draining = false;
  const status = options.statusPort === undefined ? undefined : createStatusServer(metrics, () => !draining);
  try {
    await runtime.settled();
    if (open) await listen(open, options.port!, host);
    if (encrypted) await listen(encrypted, options.tls!.port, host);
    if (status) await listen(status, options.statusPort!, host);
  } catch (error) {
    for (const server of servers) server.close();
    runtime.stop();
    tunnels.stop();
    throw error;
  }
  runtime.start();

  const takeNext = async () => {
    const next = new Runtime(await loadConfig(options.configFile), events, trusted(), runtime);
    await next.settled();
    next.start();
    runtime = next;
    log.info({ file: options.configFile }, 'configuration reloaded');
  };
  // Connections that stand keep what they began with.
  const takeCertificate = () => {
    if (!options.tls) return;
    encrypted?.setSecureContext({ ...readCertificate(options.tls), minVersion: 'TLSv1.2' });
    log.info({ file: options.tls.certFile }, 'certificate reloaded');
  };
  // One after another: each takes over from the one before.
  let last: Promise<void> = Promise.resolve();
  const reload = () => {
    const turn = last.then(takeNext).then(takeCertificate);
    last = turn.catch(() => undefined);
    return turn;
  };
  const watcher = options.watch
    ? watchFile(options.configFile, () => {
        reload().catch((error: unknown) => log.error({ err: error }, 'the old configuration goes on'));
      })
    : undefined;

  const pemFiles = [options.tls?.certFile, options.tls?.keyFile, options.trustedFile];
  const unwatch =
    options.watch &&
    watchFiles(
      pemFiles.filter((file) => file !== undefined),
      () => {
        reload().catch((error: unknown) => log.error({ err: error }, 'the old certificates go on'));
      },
    );

  const stop = async (drainMs = 5000) => {
    draining = true;
    watcher?.close();
    if (unwatch) unwatch();
    const closed = Promise.all(
      servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
    for (const server of servers) server.closeIdleConnections();
    tunnels.closeAll();
    const deadline = setTimeout(() => connections.forEach((socket) => socket.destroy()), drainMs);
    await closed;
    clearTimeout(deadline);
    tunnels.stop();
    runtime.stop();
    agent.destroy();
    status?.close();
    status?.closeAllConnections();
  };
  const port = portOf(open);
  const tlsPort = portOf(encrypted);
  return {
    url: tlsPort === undefined ? `http://${host}:${port}` : `https://${host}:${tlsPort}`,
    port,
    tlsPort,
    statusPort: portOf(status),
    reload,
    stop,
  };
}

function portOf(server: Server | TlsServer | undefined): number | undefined {
  return (server?.address() as AddressInfo | undefined)?.port;
}

function listen(server: Server | TlsServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Watches the folder, because editors and renderers replace files; several events at once count as one. */
function watchFile(file: string, onChange: () => void): FSWatcher {
  const path = resolvePath(file);
  let timer: NodeJS.Timeout | undefined;
  return watch(dirname(path), (_, name) => {
    if (name !== null && resolvePath(dirname(path), name) !== path) return;
    clearTimeout(timer);
    timer = setTimeout(onChange, WATCH_QUIET_MS);
  });
}

/** At most once in ten seconds. */
function throttled<T>(run: (value: T) => void): (value: T) => void {
  let lastMs = -Infinity;
  return (value) => {
    if (performance.now() - lastMs < 10_000) return;
    lastMs = performance.now();
    run(value);
  };
}

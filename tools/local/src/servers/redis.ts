import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { OwnedProcess } from '../process/owned-process';
import { type CertificatePaths, certificatePaths, tlsOptions } from './certificates';
import type { Server, ServerOptions } from './server';

export interface RedisPlan {
  /** The run directory; data goes to `<dir>/<name>`. */
  dir: string;
  /** Unique under `dir`. */
  name: string;
  port: number;
  password: string;
  programs: { redisServer: string };
  /** A folder of certificates: only encrypted connections are taken then. */
  certificates?: string;
}

const START_TIMEOUT_MS = 30_000;

/** Prepares a private Redis on 127.0.0.1 that only its password opens. */
export function redisServer(plan: RedisPlan, options: ServerOptions): Server {
  const home = join(plan.dir, plan.name);
  const config = join(home, 'redis.conf');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  writeFileSync(config, configuration(plan, home, options), { mode: 0o600 });
  const host = plan.certificates === undefined ? '127.0.0.1' : 'localhost';
  const scheme = plan.certificates === undefined ? 'redis' : 'rediss';
  const url = `${scheme}://:${plan.password}@${host}:${plan.port}/0`;
  const ours = plan.certificates === undefined ? undefined : certificatePaths(plan.certificates, 'client');
  const owned = new OwnedProcess({
    name: plan.name,
    dir: plan.dir,
    command: plan.programs.redisServer,
    args: [config],
    cwd: home,
    logFile: join(plan.dir, 'logs', `${plan.name}.log`),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 30_000,
  });
  return {
    name: 'redis',
    url,
    managed: true,
    get pid() {
      return owned.pid;
    },
    async start() {
      owned.start();
      await owned.waitUntil(() => answers(url, ours), START_TIMEOUT_MS);
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
  };
}

function configuration(plan: RedisPlan, home: string, { durable }: ServerOptions): string {
  const lines = [
    'bind 127.0.0.1',
    ...listener(plan),
    `requirepass ${plan.password}`,
    `dir ${home}`,
    `appendonly ${durable ? 'yes' : 'no'}`,
    'appendfsync everysec',
    'save ""',
    'maxmemory-policy noeviction',
    // One number for each test suite; unused ones cost nothing.
    'databases 1024',
    // A title would overwrite the mark in the environment by which we know our own processes.
    'set-proc-title no',
  ];
  return `${lines.join('\n')}\n`;
}

function listener({ port, certificates }: RedisPlan): string[] {
  if (certificates === undefined) return [`port ${port}`];
  const { ca, cert, key } = certificatePaths(certificates, 'redis');
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-ca-cert-file ${ca}`,
    `tls-cert-file ${cert}`,
    `tls-key-file ${key}`,
    // Kong counts rate limits here and cannot show a certificate.
    'tls-auth-clients optional',
    'tls-protocols "TLSv1.2 TLSv1.3"',
  ];
}

async function answers(url: string, ours: CertificatePaths | undefined): Promise<boolean> {
  const client = new Redis(url, {
    ...(ours && { tls: tlsOptions(ours) }),
    lazyConnect: true,
    connectTimeout: 2_000,
    disconnectTimeout: 100,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

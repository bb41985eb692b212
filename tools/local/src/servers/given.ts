import Redis from 'ioredis';
import { LocalError } from '../system/local-error';
import { type CertificatePaths, tlsOptions } from './certificates';
import { withMongo } from './mongodb/probe';
import { databaseClient } from './postgres';
import type { Server, ServerName } from './server';

/** Servers that run already, as the environment names them. */
export interface GivenServers {
  databaseUrl?: string;
  redisUrl?: string;
  amqpUrl?: string;
  /** Used only where MongoDB is the store. */
  mongodbUrl?: string;
  /** The management API of the RabbitMQ of `amqpUrl`; only tests need it. */
  amqpManagementUrl?: string;
  /** Whom to trust and what to show where an address asks for encryption. */
  tls?: { paths: Partial<CertificatePaths>; environment: Record<string, string> };
}

/** Reads DATABASE_URL, REDIS_URL, AMQP_URL, AMQP_MANAGEMENT_URL and MONGODB_URL, and TLS_CA_FILE, TLS_CERT_FILE, TLS_KEY_FILE. */
export function givenServers(env: NodeJS.ProcessEnv): GivenServers {
  const names = ['TLS_CA_FILE', 'TLS_CERT_FILE', 'TLS_KEY_FILE'] as const;
  const files = names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  const [ca, cert, key] = names.map((name) => env[name] || undefined);
  return {
    ...(files.length > 0
      ? { tls: { paths: { ca, cert, key }, environment: Object.fromEntries(files) } }
      : {}),
    ...(env['DATABASE_URL'] ? { databaseUrl: env['DATABASE_URL'] } : {}),
    ...(env['REDIS_URL'] ? { redisUrl: env['REDIS_URL'] } : {}),
    ...(env['AMQP_URL'] ? { amqpUrl: env['AMQP_URL'] } : {}),
    ...(env['MONGODB_URL'] ? { mongodbUrl: env['MONGODB_URL'] } : {}),
    ...(env['AMQP_MANAGEMENT_URL'] ? { amqpManagementUrl: env['AMQP_MANAGEMENT_URL'] } : {}),
  };
}

/** A server that somebody else runs: `start` only checks that it answers, `stop` leaves it alone. */
export function givenServer(name: ServerName, url: string, given: GivenServers): Server {
  const refuse = (): never => {
    throw new Error(`${name} was given by the environment and is not ours to disturb`);
  };
  return {
    name,
    url,
    managed: false,
    pid: undefined,
    async start() {
      try {
        await PROBES[name](url, given.tls?.paths ?? {});
      } catch (error) {
        throw new LocalError(
          `${name} at ${withoutCredentials(url)} does not answer: ${String((error as Error).message)}`,
          `Check ${VARIABLES[name]}, or unset it to let a private ${name} be started.`,
        );
      }
    },
    stop: () => Promise.resolve(),
    kill: () => Promise.reject(new Error(`${name} was given by the environment and is not ours to disturb`)),
    freeze: refuse,
    thaw: refuse,
  };
}

const VARIABLES: Record<ServerName, string> = {
  postgres: 'DATABASE_URL',
  redis: 'REDIS_URL',
  rabbitmq: 'AMQP_URL',
  mongodb: 'MONGODB_URL',
};

const PROBES: Record<ServerName, (url: string, ours: Partial<CertificatePaths>) => Promise<void>> = {
  async postgres(url, ours) {
    const client = databaseClient(url, ours);
    await client.connect();
    await client.end();
  },
  async redis(url, ours) {
    const client = new Redis(url, {
      ...(url.startsWith('rediss:') && { tls: tlsOptions(ours) }),
      lazyConnect: true,
      connectTimeout: 5_000,
      commandTimeout: 5_000,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.ping();
    } finally {
      client.disconnect();
    }
  },
  async rabbitmq(url, ours) {
    const { connect } = await import('amqplib');
    const connection = await connect(url, { timeout: 5_000, ...tlsOptions(ours) });
    await connection.close();
  },
  async mongodb(url, ours) {
    await withMongo(url, (client) => client.db().command({ ping: 1 }), { ours });
  },
};

function withoutCredentials(url: string): string {
  return url.replace(/\/\/[^/]*@/, '//').replace(/\?.*/, '');
}

import Redis from 'ioredis';
import { Client } from 'pg';
import { LocalError } from '../system/local-error';
import type { Server, ServerName } from './server';

/** Servers that run already, as the environment names them. */
export interface GivenServers {
  databaseUrl?: string;
  redisUrl?: string;
  amqpUrl?: string;
  /** The management API of the RabbitMQ of `amqpUrl`; only tests need it. */
  amqpManagementUrl?: string;
}

/** Reads DATABASE_URL, REDIS_URL, AMQP_URL and AMQP_MANAGEMENT_URL. */
export function givenServers(env: NodeJS.ProcessEnv): GivenServers {
  return {
    ...(env['DATABASE_URL'] ? { databaseUrl: env['DATABASE_URL'] } : {}),
    ...(env['REDIS_URL'] ? { redisUrl: env['REDIS_URL'] } : {}),
    ...(env['AMQP_URL'] ? { amqpUrl: env['AMQP_URL'] } : {}),
    ...(env['AMQP_MANAGEMENT_URL'] ? { amqpManagementUrl: env['AMQP_MANAGEMENT_URL'] } : {}),
  };
}

/** A server that somebody else runs: `start` only checks that it answers, `stop` leaves it alone. */
export function givenServer(name: ServerName, url: string): Server {
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
        await PROBES[name](url);
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
};

const PROBES: Record<ServerName, (url: string) => Promise<void>> = {
  async postgres(url) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    await client.connect();
    await client.end();
  },
  async redis(url) {
    const client = new Redis(url, {
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
  async rabbitmq(url) {
    const { connect } = await import('amqplib');
    const connection = await connect(url, { timeout: 5_000 });
    await connection.close();
  },
};

function withoutCredentials(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

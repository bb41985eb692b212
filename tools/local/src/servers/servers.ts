import { mkdirSync, realpathSync } from 'node:fs';
import { stopLeftovers } from '../process/leftovers';
import { keepPort, releasePort } from '../system/ports';
import { loadState, saveState, secret } from '../system/state';
import { type CertificatePaths, certificatePaths, tlsEnvironment } from './certificates';
import { requireBinaries } from './install';
import { type GivenServers, givenServer } from './given';
import { findMongo } from './mongodb/source';
import { mongoServer } from './mongodb/start';
import { postgresServer } from './postgres';
import { rabbitServer } from './rabbitmq';
import { redisServer } from './redis';
import type { MongoServer, RabbitServer, Server, ServerOptions } from './server';

export interface Servers {
  readonly postgres: Server;
  readonly redis: Server;
  readonly rabbitmq: RabbitServer;
  /** Where messages are kept in it. */
  readonly mongodb?: MongoServer;
  /**
   * DATABASE_URL, REDIS_URL and AMQP_URL, as the apps read them; with MongoDB also MONGODB_URL and MESSAGE_STORE; with
   * certificates also TLS_CA_FILE and so on.
   */
  readonly environment: ServerEnvironment;
  /** Whom to trust and what to show, where the private servers take only encrypted connections. */
  readonly tls?: CertificatePaths;
  /** Stops all that we started; data stays. */
  stop(): Promise<void>;
  /** SIGKILL to all that we started: for data that nobody needs any more. */
  kill(): Promise<void>;
}

export interface ServerEnvironment extends Record<string, string> {
  DATABASE_URL: string;
  REDIS_URL: string;
  AMQP_URL: string;
}

export const MESSAGE_STORES = ['postgresql', 'mongodb'] as const;
export type MessageStore = (typeof MESSAGE_STORES)[number];

export interface StartServersOptions extends Partial<ServerOptions> {
  /** Servers to use instead of private ones. */
  given?: GivenServers;
  /** Where the apps keep messages (default postgresql); for mongodb a server of that kind starts besides. */
  store?: MessageStore;
  /** How many members a MongoDB of our own has (default 1); FerretDB, which stands in for it, is always one. */
  mongoMembers?: number;
  /** Work that needs the databases alone, done while RabbitMQ, the slowest, still starts. */
  withDatabases?: (environment: ServerEnvironment) => Promise<void>;
  /**
   * A folder of certificates, from `makeCertificates`: the private servers take only encrypted connections then, and
   * only of those who show a certificate.
   */
  certificates?: string;
  /** Called with one line when something takes longer, e.g. an installation. */
  onProgress?: (line: string) => void;
}

/**
 * Starts private PostgreSQL, Redis and RabbitMQ, and MongoDB where that is the store, under `dir`, each on a free loopback port with its own generated
 * password, and waits until all answer. What an earlier, crashed run left there is stopped first. Passwords, data
 * and, where they are free, ports are those of the last start.
 * @throws LocalError when programs are missing and cannot be installed, or a server does not come up.
 */
export async function startServers(dir: string, options: StartServersOptions = {}): Promise<Servers> {
  mkdirSync(dir, { recursive: true });
  const servers = await prepareServers(realpathSync(dir), options);
  const { postgres, redis, rabbitmq, mongodb } = servers;
  const startDatabases = async (): Promise<void> => {
    await postgres.start();
    // Where it is FerretDB, it keeps its data in PostgreSQL.
    await mongodb?.start();
    await options.withDatabases?.(servers.environment);
    await mongodb?.afterMigrations?.();
  };
  const results = await Promise.allSettled([rabbitmq.start(), redis.start(), startDatabases()]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await servers.stop();
    throw failed.reason;
  }
  return servers;
}

async function prepareServers(dir: string, options: StartServersOptions): Promise<Servers> {
  const { given = {}, durable = true, certificates, onProgress = () => undefined } = options;
  await stopLeftovers(dir);
  const state = loadState(dir);
  const programs =
    given.databaseUrl && given.redisUrl && given.amqpUrl ? undefined : await requireBinaries(onProgress);
  const ports: number[] = [];
  const portOf = async (name: string): Promise<number> => {
    const port = await keepPort(state.ports[name]);
    state.ports[name] = port;
    ports.push(port);
    return port;
  };
  const { passwords } = state;
  const postgres =
    given.databaseUrl || !programs
      ? givenServer('postgres', given.databaseUrl ?? '', given)
      : postgresServer(
          { dir, port: await portOf('postgres'), password: passwords.postgres, programs, certificates },
          { durable },
        );
  const redis =
    given.redisUrl || !programs
      ? givenServer('redis', given.redisUrl ?? '', given)
      : redisServer(
          {
            dir,
            name: 'redis',
            port: await portOf('redis'),
            password: passwords.redis,
            programs,
            certificates,
          },
          { durable },
        );
  const rabbitmq: RabbitServer =
    given.amqpUrl || !programs
      ? {
          ...givenServer('rabbitmq', given.amqpUrl ?? '', given),
          managementUrl: given.amqpManagementUrl ?? '',
        }
      : rabbitServer({
          dir,
          ports: {
            amqp: await portOf('amqp'),
            management: await portOf('management'),
            distribution: await portOf('distribution'),
            epmd: await portOf('epmd'),
            metrics: await portOf('metrics'),
          },
          password: passwords.rabbitmq,
          erlangCookie: passwords.erlangCookie,
          programs,
          certificates,
        });
  const morePorts: number[] = [];
  if (options.store === 'mongodb')
    for (let member = 2; member <= (options.mongoMembers ?? 1); member++)
      morePorts.push(await portOf(`mongodb-${member}`));
  const mongodb =
    options.store === 'mongodb'
      ? await mongoServer(
          findMongo({ MONGODB_URL: given.mongodbUrl }),
          {
            dir,
            port: await portOf('mongodb'),
            morePorts,
            password: (passwords.mongodb ??= secret()),
            databaseUrl: postgres.url,
            certificates,
            given,
          },
          onProgress,
        )
      : undefined;
  saveState(dir, state);
  const endAll = async (how: 'stop' | 'kill'): Promise<void> => {
    if (mongodb?.managed) await mongodb[how]();
    const managed = [postgres, redis, rabbitmq].filter((server) => server.managed);
    await Promise.all(managed.map((server) => server[how]()));
    ports.forEach(releasePort);
  };
  const tls = certificates === undefined ? undefined : certificatePaths(certificates, 'client');
  return {
    postgres,
    redis,
    rabbitmq,
    ...(mongodb && { mongodb }),
    ...(tls && { tls }),
    environment: {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      AMQP_URL: rabbitmq.url,
      ...(mongodb && { MESSAGE_STORE: 'mongodb', MONGODB_URL: mongodb.url }),
      ...(tls && tlsEnvironment(tls)),
      ...given.tls?.environment,
    },
    stop: () => endAll('stop'),
    kill: () => endAll('kill'),
  };
}

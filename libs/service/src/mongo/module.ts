import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { Connection } from 'mongoose';
import { HealthRegistry } from '../health';
import { gauge } from '../metrics';
import { heartbeatMs, mongoOptions, openMongo, patiently, type MongoSettings } from './connection';
import { requireMigrated } from './migrations';

/** Injects the app's one `Connection` where `MongoModule` is imported. */
export const MONGO_CONNECTION = Symbol('MONGO_CONNECTION');

/**
 * Opens a connection, however long the server takes to come up.
 * @throws Error when migrations are missing, and on everything else that waiting does not cure.
 */
export async function connectMongo(settings: MongoSettings): Promise<Connection> {
  const connection = await openMongo(settings.url, mongoOptions(settings));
  watchPool(connection);
  try {
    await patiently(() => requireMigrated(connection, settings), Infinity);
  } catch (error) {
    await connection.close();
    throw error;
  }
  return connection;
}

/**
 * A check for the health registry: there is a primary, and it answers. Where more wait for a connection than the pool has, it is
 * enough that it answered the driver's own question lately: all instances share the load, and would go out of service together.
 */
export function mongoCheck(connection: Connection): () => Promise<unknown> {
  let answeredAt = -Infinity;
  const client = connection.getClient();
  client.on('serverHeartbeatSucceeded', ({ reply }) => {
    const { isWritablePrimary, ismaster } = reply as { isWritablePrimary?: boolean; ismaster?: boolean };
    if (isWritablePrimary ?? ismaster) answeredAt = performance.now();
  });
  return async () => {
    try {
      await client.db().command({ ping: 1 });
    } catch (error) {
      const isCrowded = (error as Error).name === 'MongoWaitQueueTimeoutError';
      if (!isCrowded || performance.now() - answeredAt > 2 * heartbeatMs) throw error;
    }
  };
}

/** Counts the pool's connections as the driver tells of them. */
function watchPool(connection: Connection): void {
  const connections = gauge('parley_mongodb_connections', 'Connections to MongoDB, open and in use.', [
    'state',
  ]);
  const client = connection.getClient();
  client.on('connectionCreated', () => connections.inc({ state: 'open' }));
  client.on('connectionClosed', () => connections.dec({ state: 'open' }));
  client.on('connectionCheckedOut', () => connections.inc({ state: 'in_use' }));
  client.on('connectionCheckedIn', () => connections.dec({ state: 'in_use' }));
}

/**
 * The app's connection to MongoDB, part of its readiness. Like PostgreSQL's, the start waits for it and the end closes
 * it after the importing module has ended.
 */
@Module({})
export class MongoModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(MONGO_CONNECTION) private readonly connection: Connection,
  ) {}

  static forRoot(settings: MongoSettings): DynamicModule {
    return {
      module: MongoModule,
      providers: [{ provide: MONGO_CONNECTION, useFactory: () => connectMongo(settings) }],
      exports: [MONGO_CONNECTION],
    };
  }

  onModuleInit(): void {
    this.health.register('mongodb', mongoCheck(this.connection));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connection.close();
  }
}

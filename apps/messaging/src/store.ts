import type { ModuleMetadata } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import {
  clientTls,
  connectMongo,
  MONGO_CONNECTION,
  mongoKind,
  MongoModule,
  type MongoSettings,
  pgPool,
  runMigrations,
  runMongoMigrations,
  typeormOptions,
} from '@parley/service';
import type { Connection, mongo } from 'mongoose';
import type { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { StoreConfig } from './config';
import { databaseSettings } from './database';
import { checkLog, claimLog, refuseProjectedLog, renewEpoch } from './log/log.origin';
import { LogReader, LogStore } from './log/log.store';
import { BoundedLogStore } from './log/log.store.bounded';
import { MongoLogStore } from './log/log.store.mongo';
import { PostgresLogStore } from './log/log.store.postgres';
import { ProjectionStore } from './log/projection.store';
import { log } from './migrations/mongo/1764100000000-log';
import { logChunks } from './migrations/mongo/1764200000000-log-chunks';

/**
 * What the log's store needs of a module; this file is the one place that knows which it is. Owners reach PostgreSQL by the
 * connections of this name, all others by those of the service.
 */
export function logStore(
  config: StoreConfig,
  connectionName: string,
): Required<Pick<ModuleMetadata, 'imports' | 'providers'>> {
  const isPostgres = config.MESSAGE_STORE === 'postgresql';
  const open = (provide: typeof LogReader, source: ReturnType<typeof getDataSourceToken>) =>
    isPostgres
      ? { provide, inject: [source], useFactory: openPostgresLog }
      : { provide, inject: [source, MONGO_CONNECTION], useFactory: openMongoLog };
  return {
    imports: isPostgres ? [] : [MongoModule.forRoot(mongoSettings(config))],
    providers: [open(LogStore, getDataSourceToken(connectionName)), open(LogReader, getDataSourceToken())],
  };
}

/** @throws Error when the log of this deployment is in MongoDB */
export async function openPostgresLog(source: DataSource): Promise<LogStore> {
  const pool = pgPool(source);
  await refuseProjectedLog(pool);
  return new BoundedLogStore(new PostgresLogStore(pool));
}

/**
 * FerretDB inserts in order within batches of its own only, and goes on with the next one behind a refused row. For `$or`
 * it fetches the whole collection.
 */
const FERRETDB = { rowsOrdered: 100, findsAlternatives: false };
const MONGODB = { rowsOrdered: 1000, findsAlternatives: true };

/** @throws Error when the log and the projection are not of one deployment */
export async function openMongoLog(source: DataSource, connection: Connection): Promise<LogStore> {
  const database = connection.getClient().db();
  const pool = pgPool(source);
  await checkLog(pool, database);
  const isFerret = (await mongoKind(database)) === 'ferretdb';
  const traits = isFerret ? FERRETDB : MONGODB;
  return new BoundedLogStore(new MongoLogStore(connection, new ProjectionStore(pool), traits));
}

export function mongoSettings(config: StoreConfig): MongoSettings {
  return {
    url: config.MONGODB_URL!,
    tls: clientTls('MONGODB', config),
    app: 'messaging',
    migrations: [log, logChunks],
    poolMax: config.MONGODB_POOL_MAX,
  };
}

/** Brings every store up to date and ties a new log in MongoDB to its deployment. Any number may run at once. */
export async function migrateStores(config: StoreConfig): Promise<void> {
  await runMigrations(databaseSettings(config));
  if (config.MESSAGE_STORE === 'postgresql') return;
  await runMongoMigrations(mongoSettings(config));
  await withStores(config, (pool, database) => claimLog(pool, database!));
}

/**
 * After a restore, while messaging stands still: gives the deployment another epoch, in every store that holds it. What was put back
 * may be of an earlier release, so it is brought up to date first.
 *
 * @returns the epoch
 */
export async function startAnew(config: StoreConfig): Promise<string> {
  await migrateStores(config);
  return withStores(config, renewEpoch);
}

/** Does something with every store, outside a service. */
async function withStores<T>(
  config: StoreConfig,
  work: (pool: Pool, database: mongo.Db | undefined) => Promise<T>,
): Promise<T> {
  const source = await new DataSource(
    typeormOptions({ ...databaseSettings(config), poolMax: 1 }) as DataSourceOptions,
  ).initialize();
  const connection =
    config.MESSAGE_STORE === 'mongodb' ? await connectMongo(mongoSettings(config)) : undefined;
  try {
    return await work(pgPool(source), connection?.getClient().db());
  } finally {
    await source.destroy();
    await connection?.close();
  }
}

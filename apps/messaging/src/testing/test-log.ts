import { connectMongo, typeormOptions } from '@parley/service';
import { freshDatabase, testMongo, type TestMongo } from '@parley/testing';
import type { Connection } from 'mongoose';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { StoreConfig } from '../config';
import { databaseSettings } from '../database';
import type { LogStore } from '../log/log.store';
import { migrateStores, mongoSettings, openMongoLog, openPostgresLog } from '../store';
import { patiently } from './patiently';

export interface TestLog {
  store: LogStore;
  /** PostgreSQL: of the log, or of its projection alone. */
  source: DataSource;
  close(): Promise<void>;
}

export interface MongoTestLog extends TestLog {
  connection: Connection;
}

export type LogConfig = StoreConfig & { MONGODB_URL: string };

/** The settings of an empty log in PostgreSQL. */
export async function postgresConfig(): Promise<StoreConfig> {
  const config: StoreConfig = {
    DATABASE_URL: await freshDatabase(),
    DATABASE_POOL_MAX: 5,
    MESSAGE_STORE: 'postgresql',
    MONGODB_POOL_MAX: 10,
  };
  await migrateStores(config);
  return config;
}

/** The settings of an empty log in MongoDB with its projection in PostgreSQL. For suites inside `describeMongo`. */
export async function mongoConfig(): Promise<{ config: LogConfig; kind: TestMongo['kind'] }> {
  const [databaseUrl, { url, kind }] = await Promise.all([freshDatabase(), testMongo()]);
  const config: LogConfig = {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_MAX: 5,
    MESSAGE_STORE: 'mongodb',
    MONGODB_URL: url,
    MONGODB_POOL_MAX: 10,
  };
  await migrateStores(config);
  return { config, kind };
}

/** One instance's way to the log. */
export async function openPostgresTestLog(config: StoreConfig): Promise<TestLog> {
  const source = await openSource(config);
  return { source, store: await openPostgresLog(source), close: () => source.destroy() };
}

/** One instance's way to the log. */
export async function openMongoTestLog(config: LogConfig): Promise<MongoTestLog> {
  const source = await openSource(config);
  const connection = await connectMongo(mongoSettings(config));
  const close = async () => {
    await connection.close();
    await source.destroy();
  };
  return { source, connection, store: await openMongoLog(source, connection), close };
}

function openSource(config: StoreConfig): Promise<DataSource> {
  const options = typeormOptions(databaseSettings(config)) as DataSourceOptions;
  return patiently(() => new DataSource(options).initialize());
}

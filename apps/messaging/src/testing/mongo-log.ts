import { connectMongo, typeormOptions } from '@parley/service';
import { freshDatabase, testMongo, type TestMongo } from '@parley/testing';
import type { Connection } from 'mongoose';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { StoreConfig } from '../config';
import { databaseSettings } from '../database';
import type { LogStore } from '../log/log.store';
import { migrateStores, mongoSettings, openMongoLog } from '../store';

export interface MongoTestLog {
  config: StoreConfig & { MONGODB_URL: string };
  kind: TestMongo['kind'];
  source: DataSource;
  connection: Connection;
  store: LogStore;
}

const opened: Pick<MongoTestLog, 'source' | 'connection'>[] = [];

/** An empty log in MongoDB with its projection in PostgreSQL, both of one's own. For suites inside `describeMongo`. */
export async function openMongoTestLog(): Promise<MongoTestLog> {
  const [databaseUrl, mongo] = await Promise.all([freshDatabase(), testMongo()]);
  const config = {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_MAX: 5,
    MESSAGE_STORE: 'mongodb' as const,
    MONGODB_URL: mongo.url,
    MONGODB_POOL_MAX: 10,
  };
  await migrateStores(config);
  return { config, kind: mongo.kind, ...(await reopenMongoLog(config)) };
}

/** Another instance's way to the same log. */
export async function reopenMongoLog(
  config: MongoTestLog['config'],
  urls: { databaseUrl?: string; mongoUrl?: string } = {},
): Promise<Pick<MongoTestLog, 'source' | 'connection' | 'store'>> {
  const settings = databaseSettings({ ...config, DATABASE_URL: urls.databaseUrl ?? config.DATABASE_URL });
  const source = await new DataSource(typeormOptions(settings) as DataSourceOptions).initialize();
  const connection = await connectMongo(
    mongoSettings({ ...config, MONGODB_URL: urls.mongoUrl ?? config.MONGODB_URL }),
  );
  opened.push({ source, connection });
  return { source, connection, store: await openMongoLog(source, connection) };
}

export async function closeMongoLogs(): Promise<void> {
  for (const { source, connection } of opened.splice(0)) {
    await connection.close();
    await source.destroy();
  }
}

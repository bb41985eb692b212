import { runMigrations, typeormOptions, pgPool } from '@parley/service';
import { freshDatabase } from '@parley/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseSettings } from '../database';
import { describeViewStore } from './view.store.contract';
import { PostgresViewStore } from './view.store.postgres';
import { PostgresViewFeedStore } from './view.store.postgres.feed';

let dataSource: DataSource;

async function open() {
  const settings = databaseSettings({ DATABASE_URL: await freshDatabase(), DATABASE_POOL_MAX: 4 });
  await runMigrations(settings);
  dataSource = new DataSource(typeormOptions(settings) as DataSourceOptions);
  await dataSource.initialize();
  const pool = pgPool(dataSource);
  return { feed: new PostgresViewFeedStore(pool), view: new PostgresViewStore(pool) };
}

afterAll(() => dataSource.destroy());

describe('the view in PostgreSQL', () => describeViewStore(open));

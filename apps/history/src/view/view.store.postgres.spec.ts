import { runMigrations, typeormOptions, pgPool } from '@parley/service';
import { freshDatabase } from '@parley/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseSettings } from '../database';
import { describeViewStore } from './view.store.contract';
import { describeViewProperties } from './view.store.properties';
import { PostgresViewStore } from './view.store.postgres';
import { PostgresViewFeedStore } from './view.store.postgres.feed';

const opened: DataSource[] = [];

async function open() {
  const settings = databaseSettings({ DATABASE_URL: await freshDatabase(), DATABASE_POOL_MAX: 4 });
  await runMigrations(settings);
  const dataSource = new DataSource(typeormOptions(settings) as DataSourceOptions);
  await dataSource.initialize();
  opened.push(dataSource);
  const pool = pgPool(dataSource);
  return { feed: new PostgresViewFeedStore(pool), view: new PostgresViewStore(pool) };
}

afterAll(() => Promise.all(opened.map((dataSource) => dataSource.destroy())));

describe('the view in PostgreSQL', () => {
  describeViewStore(open);
  describeViewProperties(open);
});

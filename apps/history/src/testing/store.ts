import { runMigrations, typeormOptions } from '@parley/service';
import { freshDatabase } from '@parley/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseSettings } from '../database';
import { openFeedStore, openStore } from '../store';
import type { ViewFeedStore, ViewStore } from '../view/view.store';

export interface TestStore {
  feed: ViewFeedStore;
  view: ViewStore;
  dataSource: DataSource;
  close(): Promise<void>;
}

/** The view in this database, or an empty one of one's own. Specs only. */
export async function openTestStore(databaseUrl?: string): Promise<TestStore> {
  const url = databaseUrl ?? (await freshDatabase());
  const settings = databaseSettings({ DATABASE_URL: url, DATABASE_POOL_MAX: 4 });
  await runMigrations(settings);
  const dataSource = new DataSource(typeormOptions(settings) as DataSourceOptions);
  await dataSource.initialize();
  return {
    feed: openFeedStore(dataSource),
    view: openStore(dataSource),
    dataSource,
    close: () => dataSource.destroy(),
  };
}

import { pgPool } from '@parley/service';
import type { DataSource } from 'typeorm';
import type { ViewFeedStore, ViewStore } from './view/view.store';
import { PostgresViewStore } from './view/view.store.postgres';
import { PostgresViewFeedStore } from './view/view.store.postgres.feed';

/** The one place that knows which store the view is in. */
export function openStore(dataSource: DataSource): ViewStore {
  return new PostgresViewStore(pgPool(dataSource));
}

export function openFeedStore(dataSource: DataSource): ViewFeedStore {
  return new PostgresViewFeedStore(pgPool(dataSource));
}

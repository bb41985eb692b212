import { Module } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import {
  clientTls,
  DatabaseModule,
  type DatabaseSettings,
  pgPool,
  runMigrations,
  typeormOptions,
} from '@parley/service';
import { DataSource, type DataSourceOptions } from 'typeorm';
import type { StoreConfig } from './config';
import { View1764000000000 } from './migrations/1764000000000-view';
import { Partitions1764100000000 } from './migrations/1764100000000-partitions';
import type { StoreKind } from './store.kind';
import { ViewFeedStore, ViewStore } from './view/view.store';
import { PostgresViewStore } from './view/view.store.postgres';
import { PostgresViewFeedStore } from './view/view.store.postgres.feed';

/** Connections of its own, so that a storm of reads does not hold up the feed. */
const feedConnections = { name: 'feed', poolMax: 2 };

@Module({})
class PostgresStoreModule {}

export const postgresStore: StoreKind = {
  module(config) {
    const settings = databaseSettings(config);
    const { name, poolMax } = feedConnections;
    return {
      module: PostgresStoreModule,
      imports: [DatabaseModule.forRoot(settings), DatabaseModule.forRoot({ ...settings, poolMax }, name)],
      providers: [
        { provide: ViewStore, inject: [getDataSourceToken()], useFactory: openView },
        { provide: ViewFeedStore, inject: [getDataSourceToken(name)], useFactory: openFeed },
      ],
      exports: [ViewStore, ViewFeedStore],
    };
  },

  async open(config) {
    const dataSource = new DataSource(typeormOptions(databaseSettings(config)) as DataSourceOptions);
    await dataSource.initialize();
    return {
      feed: openFeed(dataSource),
      view: openView(dataSource),
      close: () => dataSource.destroy(),
    };
  },

  migrate: (config) => runMigrations(databaseSettings(config)),
};

function openView(dataSource: DataSource): ViewStore {
  return new PostgresViewStore(pgPool(dataSource));
}

function openFeed(dataSource: DataSource): ViewFeedStore {
  return new PostgresViewFeedStore(pgPool(dataSource));
}

/** History's own part of the database. */
function databaseSettings(config: StoreConfig): DatabaseSettings {
  return {
    url: config.DATABASE_URL ?? '',
    tls: clientTls('DATABASE', config),
    schema: 'history',
    entities: [],
    migrations: [View1764000000000, Partitions1764100000000],
    poolMax: config.DATABASE_POOL_MAX,
  };
}

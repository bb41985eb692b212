import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import {
  clientTls,
  connectMongo,
  MONGO_CONNECTION,
  MongoModule,
  type MongoSettings,
  runMongoMigrations,
} from '@parley/service';
import type { Connection, mongo } from 'mongoose';
import type { StoreConfig } from './config';
import { view } from './migrations/mongodb/1764000000000-view';
import type { StoreKind } from './store.kind';
import { ViewFeedStore, ViewStore } from './view/view.store';
import { MongoViewStore } from './view/view.store.mongo';
import { MongoViewFeedStore } from './view/view.store.mongo.feed';

/**
 * Connections of its own, so that a storm of reads does not hold up the feed: one for each collection that is written at
 * the same time, and as many for what goes on beside.
 */
const FEED_CONNECTION = Symbol('FEED_CONNECTION');
const feedPoolMax = 8;

@Module({})
class MongoStoreModule implements OnApplicationShutdown {
  constructor(@Inject(FEED_CONNECTION) private readonly connection: Connection) {}

  async onApplicationShutdown(): Promise<void> {
    await this.connection.close();
  }
}

export const mongoStore: StoreKind = {
  module(config) {
    const settings = mongoSettings(config);
    return {
      module: MongoStoreModule,
      imports: [MongoModule.forRoot(settings)],
      providers: [
        {
          provide: FEED_CONNECTION,
          useFactory: () => connectMongo({ ...settings, poolMax: feedPoolMax }),
        },
        { provide: ViewStore, inject: [MONGO_CONNECTION], useFactory: openView },
        { provide: ViewFeedStore, inject: [FEED_CONNECTION], useFactory: openFeed },
      ],
      exports: [ViewStore, ViewFeedStore],
    };
  },

  async open(config) {
    const connection = await connectMongo(mongoSettings(config));
    return {
      feed: openFeed(connection),
      view: openView(connection),
      close: () => connection.close(),
    };
  },

  migrate: (config) => runMongoMigrations(mongoSettings(config)),
};

function openView(connection: Connection): ViewStore {
  return new MongoViewStore(clientOf(connection));
}

function openFeed(connection: Connection): ViewFeedStore {
  return new MongoViewFeedStore(clientOf(connection));
}

/** The driver's client: Mongoose's own collections cast each document and hold commands back. */
function clientOf(connection: Connection): mongo.MongoClient {
  return connection.getClient();
}

function mongoSettings(config: StoreConfig): MongoSettings {
  return {
    url: config.MONGODB_URL ?? '',
    tls: clientTls('MONGODB', config),
    app: 'history',
    migrations: [view],
    poolMax: config.MONGODB_POOL_MAX,
  };
}

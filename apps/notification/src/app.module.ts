import { type DynamicModule, Inject, Module, type OnModuleInit } from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import { Broker, BrokerModule } from '@parley/broker';
import { queues } from '@parley/contracts';
import { brokerSettings, DatabaseModule, HealthRegistry, parkedGauge, pgPool } from '@parley/service';
import type { DataSource } from 'typeorm';
import type { Config } from './config';
import { databaseSettings, feedConnections } from './database';
import { BatchApplier } from './feed/batch.applier';
import { ConversationCache } from './feed/conversation.cache';
import { EntryMaker } from './feed/entry.maker';
import { FeedRunner } from './feed/feed.runner';
import { FeedStore } from './feed/feed.store';
import { NotificationFeed } from './feed/notification.feed';
import { PresenceLookup } from './feed/presence.lookup';
import { NotificationController } from './notification/notification.controller';
import { NotificationService } from './notification/notification.service';
import { NotificationStore } from './notification/notification.store';
import { Pruner } from './notification/pruner';
import { ParkedStore } from './parked/parked.store';
import { ProfileConsumer } from './profile/profile.consumer';
import { ProfileStore } from './profile/profile.store';

@Module({})
export class AppModule implements OnModuleInit {
  constructor(
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(Broker) private readonly broker: Broker,
  ) {}

  static register(config: Config): DynamicModule {
    const settings = databaseSettings(config);
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(settings),
        DatabaseModule.forRoot({ ...settings, ...feedConnections }, feedConnections.name),
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'notification',
          serves: {
            subscriptions: [
              { exchange: 'accounts', queue: queues.accounts('notification'), keys: ['user.changed'] },
            ],
          },
        }),
      ],
      controllers: [NotificationController, ProfileConsumer],
      providers: [
        {
          provide: NotificationStore,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) =>
            new NotificationStore(pgPool(dataSource), config.NOTIFICATION_KEPT_PER_USER),
        },
        {
          provide: ProfileStore,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) => new ProfileStore(pgPool(dataSource)),
        },
        {
          provide: ParkedStore,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) => new ParkedStore(pgPool(dataSource)),
        },
        {
          provide: FeedStore,
          inject: [getDataSourceToken(feedConnections.name)],
          useFactory: (dataSource: DataSource) => new FeedStore(pgPool(dataSource)),
        },
        {
          provide: ConversationCache,
          // Groups a good deal larger than small ones are held too: they may shrink within a batch.
          useFactory: () => new ConversationCache(2 * config.NOTIFICATION_SMALL_GROUP_MEMBERS_MAX),
        },
        NotificationService,
        Pruner,
        PresenceLookup,
        EntryMaker,
        BatchApplier,
        NotificationFeed,
        FeedRunner,
        parkedGauge('notification_parked_events', ParkedStore, (store, max) => store.count(max)),
      ],
    };
  }

  onModuleInit(): void {
    this.health.register('broker', () => {
      return this.broker.connected ? Promise.resolve() : Promise.reject(new Error('The broker is away.'));
    });
  }
}

import { type DynamicModule, Inject, Module, type OnModuleInit } from '@nestjs/common';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { BrokerModule } from '@parley/broker';
import { brokerSettings, databaseCheck, HealthRegistry, typeormOptions } from '@parley/service';
import type { DataSource } from 'typeorm';
import { MemberDirectory } from './access/member.directory';
import { ReadAccess } from './access/read.access';
import type { Config } from './config';
import { databaseSettings } from './database';
import { EpochSource } from './feed/epoch.source';
import { FeedRepair } from './feed/feed.repair';
import { FeedRunner } from './feed/feed.runner';
import { HeadWatch } from './feed/head.watch';
import { RowWriter } from './feed/row.writer';
import { ViewFeed } from './feed/view.feed';
import { MessageController } from './message/message.controller';
import { MessageService } from './message/message.service';
import { openFeedStore, openStore } from './store';
import { SyncConsumer } from './sync/sync.consumer';
import { SyncController } from './sync/sync.controller';
import { SyncService } from './sync/sync.service';
import { ViewFeedStore, ViewStore } from './view/view.store';

/** Connections of its own, so that a storm of reads does not hold up the feed. */
const feedConnections = { name: 'feed', poolMax: 2 };

/** The one place where the ports meet their implementations and everything its settings. */
@Module({})
export class AppModule implements OnModuleInit {
  constructor(
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(getDataSourceToken()) private readonly dataSource: DataSource,
  ) {}

  static register(config: Config): DynamicModule {
    const settings = databaseSettings(config);
    const { name, poolMax } = feedConnections;
    return {
      module: AppModule,
      imports: [
        TypeOrmModule.forRoot(typeormOptions(settings)),
        TypeOrmModule.forRoot({ ...typeormOptions({ ...settings, poolMax }), name }),
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'history',
          serves: { queries: true },
        }),
      ],
      controllers: [MessageController, SyncController, SyncConsumer],
      providers: [
        {
          provide: ViewStore,
          inject: [getDataSourceToken()],
          useFactory: openStore,
        },
        {
          provide: ViewFeedStore,
          inject: [getDataSourceToken(name)],
          useFactory: openFeedStore,
        },
        EpochSource,
        FeedRepair,
        FeedRunner,
        HeadWatch,
        MemberDirectory,
        MessageService,
        ReadAccess,
        RowWriter,
        SyncService,
        ViewFeed,
      ],
    };
  }

  onModuleInit(): void {
    this.health.register('database', databaseCheck(this.dataSource));
  }
}

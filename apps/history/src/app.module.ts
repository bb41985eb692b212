import { type DynamicModule, Module } from '@nestjs/common';
import { BrokerModule } from '@parley/broker';
import { brokerSettings, parkedGauge } from '@parley/service';
import { MemberDirectory } from './access/member.directory';
import { ReadAccess } from './access/read.access';
import type { Config } from './config';
import { EpochSource } from './feed/epoch.source';
import { FeedRunner } from './feed/feed.runner';
import { HeadWatch } from './feed/head.watch';
import { RowWriter } from './feed/row.writer';
import { ViewFeed } from './feed/view.feed';
import { MessageController } from './message/message.controller';
import { MessageService } from './message/message.service';
import { storeOf } from './store';
import { SyncConsumer } from './sync/sync.consumer';
import { SyncController } from './sync/sync.controller';
import { SyncService } from './sync/sync.service';
import { ViewFeedStore } from './view/view.store';

/** The one place where the ports meet their implementations and everything its settings. */
@Module({})
export class AppModule {
  static register(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        storeOf(config).module(config),
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'history',
          serves: { queries: true },
        }),
      ],
      controllers: [MessageController, SyncController, SyncConsumer],
      providers: [
        EpochSource,
        FeedRunner,
        HeadWatch,
        MemberDirectory,
        MessageService,
        parkedGauge('history_parked_events', ViewFeedStore, (store, max) => store.countParked(max)),
        ReadAccess,
        RowWriter,
        SyncService,
        ViewFeed,
      ],
    };
  }
}

import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { getDataSourceToken } from '@nestjs/typeorm';
import { Broker, BrokerModule, Publisher, Requester } from '@parley/broker';
import { brokerSettings, DatabaseModule, getLogger, HealthRegistry, pgPool } from '@parley/service';
import type { DataSource } from 'typeorm';
import { AccountReader } from './account/account.reader';
import { JoinReader } from './account/join.reader';
import { QueryConsumer } from './account/query.consumer';
import type { MessagingConfig } from './config';
import { ConversationController } from './conversation/conversation.controller';
import { ConversationReader } from './conversation/conversation.reader';
import { MembershipEnder } from './conversation/membership.ender';
import { UserDirectory } from './conversation/user.directory';
import { databaseSettings } from './database';
import { Deployment, loadDeployment } from './log/deployment';
import { LeaseStore } from './log/lease.store';
import { LogRuntime } from './log/log.runtime';
import { LOG_CONNECTIONS, LogReader } from './log/log.store';
import { MemberController } from './member/member.controller';
import { CommandConsumer } from './message/command.consumer';
import { MessageController } from './message/message.controller';
import { MarkController } from './read-mark/mark.controller';
import { MarkStore } from './read-mark/mark.store';
import { MarkWriter } from './read-mark/mark.writer';
import { logStore } from './store';

/** Connections of their own for appends and leases, so that a storm of reads holds up neither. */
export const logConnections = { name: 'log', poolMax: LOG_CONNECTIONS };
const leaseConnections = { name: 'leases', poolMax: 1 };

/** The one place where ports meet their implementations and everything its settings. */
@Module({})
export class AppModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(Broker) private readonly broker: Broker,
    @Inject(MarkWriter) private readonly marks: MarkWriter,
    @Inject(MembershipEnder) private readonly memberships: MembershipEnder,
  ) {}

  static register(config: MessagingConfig): DynamicModule {
    const settings = databaseSettings(config);
    const store = logStore(config, logConnections.name);
    const connection = (own: { name: string; poolMax: number }) =>
      DatabaseModule.forRoot({ ...settings, poolMax: own.poolMax }, own.name);
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(settings),
        connection(logConnections),
        connection(leaseConnections),
        ...store.imports,
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'messaging',
          serves: { queries: true, commands: true },
        }),
      ],
      controllers: [
        CommandConsumer,
        QueryConsumer,
        ConversationController,
        MemberController,
        MessageController,
        MarkController,
      ],
      providers: [
        {
          provide: Deployment,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) => loadDeployment(pgPool(dataSource)),
        },
        ...store.providers,
        {
          provide: LeaseStore,
          inject: [getDataSourceToken(leaseConnections.name)],
          useFactory: (dataSource: DataSource) => new LeaseStore(pgPool(dataSource), config.INSTANCE_ID),
        },
        {
          provide: AccountReader,
          inject: [getDataSourceToken(), LogReader],
          useFactory: (dataSource: DataSource, log: LogReader) => new AccountReader(pgPool(dataSource), log),
        },
        {
          provide: ConversationReader,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) => new ConversationReader(pgPool(dataSource)),
        },
        {
          provide: MembershipEnder,
          inject: [getDataSourceToken()],
          useFactory: (dataSource: DataSource) =>
            new MembershipEnder(pgPool(dataSource), (details, message) =>
              getLogger('Memberships').warn(details, message),
            ),
        },
        {
          provide: JoinReader,
          inject: [getDataSourceToken(), LogReader, AccountReader, Deployment],
          useFactory: (
            dataSource: DataSource,
            log: LogReader,
            accounts: AccountReader,
            deployment: Deployment,
          ) => new JoinReader(pgPool(dataSource), log, accounts, deployment),
        },
        {
          provide: UserDirectory,
          inject: [Requester],
          useFactory: (requester: Requester) => new UserDirectory(requester),
        },
        {
          provide: MarkWriter,
          inject: [getDataSourceToken(), Publisher],
          useFactory: (dataSource: DataSource, publisher: Publisher) =>
            new MarkWriter({
              store: new MarkStore(pgPool(dataSource)),
              notify: (userIds) => publisher.users({ kind: 'account.changed', userIds }),
              warn: (details, message) => getLogger('Marks').warn(details, message),
            }),
        },
        LogRuntime,
      ],
    };
  }

  onModuleInit(): void {
    this.health.register('broker', () => {
      return this.broker.connected ? Promise.resolve() : Promise.reject(new Error('not connected'));
    });
  }

  /** The partitions are handed over by now: what they left to write is written while the database is still there. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([this.marks.flush(), this.memberships.stop()]);
  }
}

import { Inject, Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Broker, BrokerModule } from '@parley/broker';
import { queues } from '@parley/contracts';
import { brokerSettings, closeRedis, createRedis, HealthRegistry } from '@parley/service';
import { Redis } from 'ioredis';
import { ChangesPublisher } from './changes.publisher';
import type { Config } from './config';
import { Leadership } from './leadership';
import { NodeSweeper } from './node.sweeper';
import { PresenceConsumer } from './presence.consumer';
import { PresenceController } from './presence.controller';
import { PresenceService } from './presence.service';
import { PresenceStore } from './presence.store.redis';

@Module({})
export class AppModule implements OnApplicationShutdown {
  constructor(
    @Inject(Redis) private readonly redis: Redis,
    health: HealthRegistry,
    broker: Broker,
  ) {
    health.register('redis', () => redis.ping());
    health.register('broker', async () => {
      if (!broker.connected) throw new Error('The broker is away.');
    });
  }

  static register(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'presence',
          serves: {
            queries: true,
            subscriptions: [{ exchange: 'connections', queue: queues.connections(), keys: ['connection'] }],
          },
        }),
      ],
      controllers: [PresenceController, PresenceConsumer],
      providers: [
        { provide: Redis, useFactory: () => createRedis(config) },
        {
          provide: PresenceStore,
          useFactory: (redis: Redis) => new PresenceStore(redis, config.PRESENCE_CLOSE_GRACE_MS),
          inject: [Redis],
        },
        PresenceService,
        Leadership,
        ChangesPublisher,
        NodeSweeper,
      ],
    };
  }

  onApplicationShutdown(): Promise<void> {
    return closeRedis(this.redis);
  }
}

import {
  Inject,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Broker, BrokerModule } from '@parley/broker';
import { unavailable } from '@parley/contracts';
import {
  brokerSettings,
  closeRedis,
  createRedis,
  DatabaseModule,
  HealthRegistry,
  TokenVerifier,
} from '@parley/service';
import { Redis } from 'ioredis';
import { AccountController } from './account/account.controller';
import { AccountService } from './account/account.service';
import { PasswordHasher } from './account/password.hasher';
import { Throttle } from './account/throttle';
import type { AuthConfig } from './config';
import { databaseSettings } from './database';
import { DocumentsController } from './documents/documents.controller';
import { Outbox } from './outbox/outbox';
import { OutboxPublisher } from './outbox/outbox.publisher';
import { SessionConsumer } from './session/session.consumer';
import { SessionController } from './session/session.controller';
import { SessionRow } from './session/session.entity';
import { SessionJanitor } from './session/session.janitor';
import { SessionService } from './session/session.service';
import { TokenSigner } from './session/token.signer';
import { UserConsumer } from './user/user.consumer';
import { UserController } from './user/user.controller';
import { CredentialRow, UserRow } from './user/user.entity';
import { UserService } from './user/user.service';

/** The one place where the parts meet their settings. */
@Module({})
export class AppModule implements OnModuleInit, OnApplicationShutdown {
  constructor(
    @Inject(HealthRegistry) private readonly health: HealthRegistry,
    @Inject(Redis) private readonly redis: Redis,
    @Inject(Broker) private readonly broker: Broker,
  ) {}

  static register(config: AuthConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DatabaseModule.forRoot(databaseSettings(config)),
        TypeOrmModule.forFeature([UserRow, CredentialRow, SessionRow]),
        BrokerModule.forRoot({
          ...brokerSettings(config),
          service: 'auth',
          serves: { queries: true },
        }),
      ],
      controllers: [
        AccountController,
        SessionController,
        SessionConsumer,
        UserController,
        UserConsumer,
        DocumentsController,
      ],
      providers: [
        // Used by the throttle alone, which counts by itself when Redis is slow: a login asks it several times.
        { provide: Redis, useFactory: () => createRedis(config, { commandTimeout: 200 }) },
        {
          provide: PasswordHasher,
          useFactory: () =>
            new PasswordHasher(config.PASSWORD_HASH_CONCURRENCY, config.PASSWORD_HASH_QUEUE_MAX),
        },
        {
          provide: Throttle,
          inject: [Redis],
          useFactory: (redis: Redis) =>
            new Throttle(redis, {
              windowSeconds: config.THROTTLE_WINDOW_SECONDS,
              failuresPerAccount: config.LOGIN_FAILURES_PER_ACCOUNT_MAX,
              failuresPerAddress: config.LOGIN_FAILURES_PER_ADDRESS_MAX,
              registrationsPerAddress: config.REGISTRATIONS_PER_ADDRESS_MAX,
            }),
        },
        {
          provide: TokenSigner,
          inject: [TokenVerifier],
          useFactory: (verifier: TokenVerifier) =>
            new TokenSigner(
              {
                privateKeysFile: config.JWT_PRIVATE_KEYS_FILE,
                issuer: config.JWT_ISSUER,
                audience: config.JWT_AUDIENCE,
              },
              verifier.publicKeys,
            ),
        },
        AccountService,
        SessionService,
        SessionJanitor,
        UserService,
        Outbox,
        OutboxPublisher,
      ],
    };
  }

  onModuleInit(): void {
    // Without the broker, events wait in the outbox; without Redis, each instance throttles for itself.
    this.health.register(
      'broker',
      () => (this.broker.connected ? Promise.resolve() : Promise.reject(unavailable('The broker is away.'))),
      { critical: false },
    );
    this.health.register('redis', () => this.redis.ping(), { critical: false });
  }

  async onApplicationShutdown(): Promise<void> {
    await closeRedis(this.redis);
  }
}

import { Module, type DynamicModule, type OnApplicationShutdown, type Provider } from '@nestjs/common';
import { Inject, Optional } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { AccessTokenGuard } from './access-token.guard';
import type { BaseConfig, TokenConfig } from './config';
import { HealthRegistry } from './health';
import { OperationsController } from './operations.controller';
import { ProblemFilter } from './problem.filter';
import { TokenVerifier } from './token';

/** Injects the configuration that `runService` was given. */
export const SERVICE_CONFIG = Symbol('SERVICE_CONFIG');

export type ServiceConfig = BaseConfig & Partial<TokenConfig>;

/** What every service has, injectable everywhere in it: `HealthRegistry`, `TokenVerifier`, `SERVICE_CONFIG`. */
@Module({})
export class ServiceModule implements OnApplicationShutdown {
  constructor(@Optional() @Inject(TokenVerifier) private readonly verifier?: TokenVerifier) {}

  static register(config: ServiceConfig): DynamicModule {
    const shared: Provider[] = [HealthRegistry, { provide: SERVICE_CONFIG, useValue: config }];
    if (config.JWT_PUBLIC_KEYS_FILE !== undefined) {
      shared.push({ provide: TokenVerifier, useFactory: () => new TokenVerifier(config as TokenConfig) });
    }
    return {
      module: ServiceModule,
      global: true,
      controllers: [OperationsController],
      providers: [
        ...shared,
        { provide: APP_GUARD, useClass: AccessTokenGuard },
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
      exports: shared,
    };
  }

  onApplicationShutdown(): void {
    this.verifier?.close();
  }
}

import { startBroker } from '@parley/broker';
import { runService, type RunningService, type ServiceOptions } from '@parley/service';
import { AppModule } from './app.module';
import type { AuthConfig } from './config';

/** Starts one instance; resolves once it listens. */
export function startAuth(
  config: AuthConfig,
  options: Pick<ServiceOptions, 'ownsProcess'> = {},
): Promise<RunningService> {
  return runService({
    name: 'auth',
    module: AppModule.register(config),
    config,
    start: startBroker,
    ...options,
  });
}

import { startBroker } from '@parley/broker';
import { runService, type RunningService, type ServiceOptions } from '@parley/service';
import { AppModule } from './app.module';
import type { Config } from './config';

/** Starts one instance; resolves once it listens. */
export function startNotification(
  config: Config,
  options: Pick<ServiceOptions, 'ownsProcess'> = {},
): Promise<RunningService> {
  return runService({
    name: 'notification',
    module: AppModule.register(config),
    config,
    start: startBroker,
    ...options,
  });
}

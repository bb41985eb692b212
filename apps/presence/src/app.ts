import { startBroker } from '@parley/broker';
import { runService, type RunningService, type ServiceOptions } from '@parley/service';
import { AppModule } from './app.module';
import type { Config } from './config';

/** Starts one instance; resolves once it listens. */
export function startPresence(
  config: Config,
  options: Pick<ServiceOptions, 'ownsProcess'> = {},
): Promise<RunningService> {
  return runService({
    name: 'presence',
    module: AppModule.register(config),
    config,
    start: startBroker,
    ...options,
  });
}

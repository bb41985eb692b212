import { startBroker } from '@parley/broker';
import { runService, type RunningService, type ServiceOptions } from '@parley/service';
import { AppModule } from './app.module';
import type { MessagingConfig } from './config';
import { MembershipEnder } from './conversation/membership.ender';
import { LogRuntime } from './log/log.runtime';

/** Starts one instance; resolves once it listens. */
export function startMessaging(
  config: MessagingConfig,
  options: Pick<ServiceOptions, 'ownsProcess'> = {},
): Promise<RunningService> {
  return runService({
    name: 'messaging',
    module: AppModule.register(config),
    config,
    start: async (app) => {
      await startBroker(app);
      await app.get(LogRuntime).start();
      app.get(MembershipEnder).start();
    },
    ...options,
  });
}

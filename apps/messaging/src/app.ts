import { getDataSourceToken } from '@nestjs/typeorm';
import { startBroker } from '@parley/broker';
import { connectAll, runService, type RunningService, type ServiceOptions } from '@parley/service';
import type { DataSource } from 'typeorm';
import { AppModule, logConnections } from './app.module';
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
      // While processes start one may have to wait for a connection, longer than commands wait for their conversation.
      await connectAll(app.get<DataSource>(getDataSourceToken(logConnections.name)));
      app.get(LogRuntime).start();
      app.get(MembershipEnder).start();
    },
    ...options,
  });
}

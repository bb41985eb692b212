import { startBroker } from '@parley/broker';
import { runService, type RunningService, type ServiceOptions } from '@parley/service';
import { AppModule } from './app.module';
import type { Config } from './config';
import { SocketAdapter } from './socket/socket.adapter';

/** Starts one node; resolves once it listens. It is ready as soon as it knows the heads of the log. */
export function startRealtime(
  config: Config,
  options: Pick<ServiceOptions, 'ownsProcess'> = {},
): Promise<RunningService> {
  return runService({
    name: 'realtime',
    module: AppModule.register(config),
    config,
    configure: (app) => void app.useWebSocketAdapter(new SocketAdapter(app)),
    start: startBroker,
    ...options,
  });
}

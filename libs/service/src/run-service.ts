import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { HealthRegistry } from './health';
import { RequestTracker, setUpHttp } from './http';
import { NestLogger, configureLogging, getLogger } from './logging';
import { collectProcessMetrics } from './metrics';
import { endBySignals, ownProcess } from './process';
import { ServiceModule, type ServiceConfig } from './service.module';
import { startTracing } from './tracing.export';

export interface ServiceOptions {
  /** The app's folder name, for example `auth`. */
  name: string;
  module: Type | DynamicModule;
  config: ServiceConfig;
  /** Called before the modules are initialised: the place to set a WebSocket adapter. */
  configure?: (app: NestExpressApplication) => void | Promise<void>;
  /** Called after the modules are initialised and before HTTP listens: the place for `startBroker`. */
  start?: (app: NestExpressApplication) => void | Promise<void>;
  /**
   * Whether signals drain this service and crashes end the process (the default). Tests that run services inside their
   * own process say false and call `close()`.
   */
  ownsProcess?: boolean;
}

export interface RunningService {
  app: NestExpressApplication;
  /** `http://host:port` of this instance. */
  url: string;
  port: number;
  health: HealthRegistry;
  /** Drains and stops; resolves when nothing of the service is left. Calling it again waits for the same end. */
  close(): Promise<void>;
}

/**
 * Connections that the kernel completes while the process is busy; it takes no more than net.core.somaxconn (4,096 on Linux).
 * Of Node's 511, a storm of reconnections loses what comes beyond, and TCP repeats it ever more seldom.
 */
const BACKLOG = 16_384;
/** What is left of draining for the last spans, at most. */
const TRACES_FLUSH_MS = 2000;

/** Starts a service and resolves once it listens. What `apps/<name>/src/main.ts` consists of. */
export async function runService(options: ServiceOptions): Promise<RunningService> {
  const { name, config } = options;
  const stopFollowing = configureLogging({
    service: name,
    instance: config.INSTANCE_ID,
    levels: config.LOG_LEVEL,
    file: config.LOG_LEVEL_FILE,
  });
  const endStarting = options.ownsProcess === false ? undefined : endBySignals();
  collectProcessMetrics();
  const tracing = await startTracing(config, { service: name, instance: config.INSTANCE_ID });
  const log = getLogger('Service');

  const root: DynamicModule = {
    module: RootModule,
    imports: [ServiceModule.register(config), options.module],
  };
  const app = await NestFactory.create<NestExpressApplication>(root, new ExpressAdapter(), {
    logger: new NestLogger(),
    bodyParser: false,
    abortOnError: false,
  });
  const health = app.get(HealthRegistry);
  const requests = new RequestTracker(health);
  app.use(requests.middleware);
  setUpHttp(app, { trustedProxies: config.TRUSTED_PROXIES });
  await options.configure?.(app);
  await app.init();
  await options.start?.(app);

  const server = app.getHttpServer() as Server;
  // Longer than the gateway keeps its idle connections, so that it never writes into one that we are closing.
  server.keepAliveTimeout = 75_000;
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;
  server.listen({ port: config.PORT, host: config.HOST, backlog: BACKLOG });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const host = config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST;
  log.info({ port }, 'The service listens.');

  let closing: Promise<void> | undefined;
  const drain = async () => {
    log.info('The service drains.');
    health.startDraining();
    if (config.DRAIN_GRACE_MS > 0) await new Promise((resolve) => setTimeout(resolve, config.DRAIN_GRACE_MS));
    // No new connections from here on; answered ones are not kept. Open sockets are the realtime service's to close.
    server.close();
    server.closeIdleConnections();
    await Promise.race([requests.idle(), delay(config.DRAIN_TIMEOUT_MS / 2)]);
    // What is still under way by now must not keep the rest from ending well. Sockets that were upgraded stay.
    server.closeAllConnections();
    await app.close();
    await tracing?.stop(TRACES_FLUSH_MS);
    stopFollowing();
    log.info('The service has stopped.');
  };
  const close = () => (closing ??= drain());
  if (endStarting) {
    endStarting();
    ownProcess(close, config.DRAIN_TIMEOUT_MS);
  }
  return { app, url: `http://${host}:${port}`, port, health, close };
}

class RootModule {}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

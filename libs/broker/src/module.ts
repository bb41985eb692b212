import type { ServiceName } from '@parley/contracts';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { Catch, Inject, Module } from '@nestjs/common';
import type { OnApplicationShutdown } from '@nestjs/common';
import type { RpcExceptionFilter } from '@nestjs/common';
import type { NestMicroservice } from '@nestjs/microservices';
import type { Observable } from 'rxjs';
import { throwError } from 'rxjs';
import type { BrokerOptions } from './options';
import { Broker } from './broker';
import { ControlInbox } from './control';
import { Membership } from './membership';
import { Publisher } from './publisher';
import { Requester } from './requester';
import type { Serves } from './strategy';
import { BrokerStrategy } from './strategy';

export interface BrokerModuleOptions extends BrokerOptions {
  service: ServiceName;
  serves?: Serves;
}

/** Leaves what a handler threw as it is; BrokerStrategy turns it into a reply or a retry. */
@Catch()
class PassThroughFilter implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

/** Everything of this library for one service. Import it once, then call `startBroker(app)` before listening. */
@Module({})
export class BrokerModule implements OnApplicationShutdown {
  constructor(
    @Inject(Broker) private readonly broker: Broker,
    @Inject(Requester) private readonly requester: Requester,
    @Inject(Membership) private readonly membership: Membership,
  ) {}

  static forRoot(options: BrokerModuleOptions): DynamicModule {
    const broker = new Broker(options);
    const control = new ControlInbox(broker);
    const membership = new Membership(broker, control);
    const requester = new Requester(broker, control);
    const values = [
      [Broker, broker],
      [ControlInbox, control],
      [Membership, membership],
      [Requester, requester],
      [Publisher, new Publisher(broker)],
      [BrokerStrategy, new BrokerStrategy(broker, options.serves ?? {})],
    ] as const;
    const providers = values.map(([provide, useValue]) => ({ provide, useValue }));
    return { module: BrokerModule, global: true, providers, exports: values.map(([provide]) => provide) };
  }

  /** Last of all: what other providers still want to say at shutdown has been said. */
  async onApplicationShutdown(): Promise<void> {
    this.membership.leave();
    this.requester.stop();
    await this.broker.stop();
  }
}

/** Connects the handlers of an application to the broker and begins its heartbeats. */
export async function startBroker(app: INestApplication): Promise<void> {
  // Handlers are wired when the transport is initialised: by then the filter must be known.
  const hybrid = { inheritAppConfig: false, deferInitialization: true };
  const transport = app.connectMicroservice({ strategy: app.get(BrokerStrategy) }, hybrid);
  transport.useGlobalFilters(new PassThroughFilter());
  // The providers are shared with the application, which has called their init and bootstrap hooks already.
  (transport as NestMicroservice).setIsInitHookCalled(true);
  // So are gateways: the transport would open each a second time, on a server of its own.
  Reflect.set(transport, 'socketModule', null);
  await app.startAllMicroservices();
  app.get(Membership).start();
}

import type { ParleyError } from '@parley/contracts';
import type { Logger } from 'pino';
import type { BaseConfig, BrokerConfig } from './config';
import { activeContext, makeContext, runInContext } from './context';
import { toParleyError } from './errors';
import { getLogger } from './logging';

interface BrokerSettings {
  url: string;
  instanceId: string;
  logger: Logger;
  trace: { current(): string | undefined; run<T>(traceparent: string | undefined, handle: () => T): T };
  toError(error: unknown): ParleyError;
}

/** What `BrokerModule.forRoot` of `@parley/broker` needs from a service beside its name and what it serves. */
export function brokerSettings(config: BrokerConfig & BaseConfig): BrokerSettings {
  return {
    url: config.AMQP_URL,
    instanceId: config.INSTANCE_ID,
    logger: getLogger('Broker'),
    trace: {
      current: () => activeContext()?.traceparent,
      run: (traceparent, handle) => runInContext(makeContext({ traceparent }), handle),
    },
    toError: toParleyError,
  };
}

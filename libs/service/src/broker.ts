import type { ConnectionOptions } from 'node:tls';
import type { EnvelopeKind, ParleyError } from '@parley/contracts';
import type { Logger } from 'pino';
import type { BaseConfig, BrokerConfig } from './config';
import { activeContext, makeContext, runInContext } from './context';
import { toParleyError } from './errors';
import { getLogger } from './logging';
import { clientTls } from './tls/client-tls';
import { tlsFailure } from './tls/failure';
import { counter } from './metrics';

interface BrokerSettings {
  url: string;
  tls?: ConnectionOptions;
  instanceId: string;
  logger: Logger;
  trace: { current(): string | undefined; run<T>(traceparent: string | undefined, handle: () => T): T };
  toError(error: unknown): ParleyError;
  explain(error: unknown): string | undefined;
  onRefused(kind: EnvelopeKind, reason: string): void;
}

const refused = counter(
  'broker_refused_envelopes_total',
  'Envelopes from the broker that this release does not read, by kind and reason.',
  ['kind', 'reason'],
);

/** What `BrokerModule.forRoot` of `@parley/broker` needs from a service beside its name and what it serves. */
export function brokerSettings(config: BrokerConfig & BaseConfig): BrokerSettings {
  return {
    url: config.AMQP_URL,
    tls: clientTls('AMQP', config),
    instanceId: config.INSTANCE_ID,
    logger: getLogger('Broker'),
    trace: {
      current: () => activeContext()?.traceparent,
      run: (traceparent, handle) => runInContext(makeContext({ traceparent }), handle),
    },
    toError: toParleyError,
    explain: tlsFailure,
    onRefused: (kind, reason) => refused.inc({ kind, reason }),
  };
}

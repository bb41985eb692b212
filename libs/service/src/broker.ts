import type { ConnectionOptions } from 'node:tls';
import { SpanKind } from '@opentelemetry/api';
import { type EnvelopeKind, envelopes, type ParleyError } from '@parley/contracts';
import type { Logger } from 'pino';
import type { BaseConfig, BrokerConfig } from './config';
import { activeContext } from './context';
import { toParleyError } from './errors';
import { getLogger } from './logging';
import { clientTls } from './tls/client-tls';
import { tlsFailure } from './tls/failure';
import { counter } from './metrics';
import { continueTrace, traceBatch } from './tracing';

/** As `@parley/broker` has it, which this library must not import. */
interface TraceCarrier {
  current(): string | undefined;
  answer<T>(name: string, traceparent: string | undefined, handle: () => T): T;
  consume<T>(name: string, traceparent: string | undefined, handle: () => T): T;
  batch<T>(name: string, traceparents: Iterable<string>, handle: () => Promise<T>): Promise<T>;
}

interface BrokerSettings {
  url: string;
  tls?: ConnectionOptions;
  instanceId: string;
  logger: Logger;
  trace: TraceCarrier;
  toError(error: unknown): ParleyError;
  explain(error: unknown): string | undefined;
  onRefused(kind: EnvelopeKind, reason: string): void;
  onTooLarge(): void;
}

const refused = counter(
  'broker_refused_envelopes_total',
  'Envelopes from the broker that this release does not read, by kind and reason.',
  ['kind', 'reason'],
);

const tooLarge = counter(
  'broker_too_large_messages_total',
  'Messages and answers that were not sent, because they are larger than the broker takes.',
);

const refusals = ['outdated', 'tooNew', 'malformed'];

/** What `BrokerModule.forRoot` of `@parley/broker` needs from a service beside its name and what it serves. */
export function brokerSettings(config: BrokerConfig & BaseConfig): BrokerSettings {
  // Each is there from the beginning: a series that begins with its first refusal shows no increase.
  for (const kind of Object.keys(envelopes)) for (const reason of refusals) refused.inc({ kind, reason }, 0);
  return {
    url: config.AMQP_URL,
    tls: clientTls('AMQP', config),
    instanceId: config.INSTANCE_ID,
    logger: getLogger('Broker'),
    trace: {
      current: () => activeContext()?.traceparent,
      answer: (name, traceparent, handle) => continueTrace(name, SpanKind.SERVER, traceparent, handle),
      consume: (name, traceparent, handle) => continueTrace(name, SpanKind.CONSUMER, traceparent, handle),
      batch: traceBatch,
    },
    toError: toParleyError,
    explain: tlsFailure,
    onRefused: (kind, reason) => refused.inc({ kind, reason }),
    onTooLarge: () => tooLarge.inc(),
  };
}

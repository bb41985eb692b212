import type { ConnectionOptions } from 'node:tls';
import type { EnvelopeKind, ParleyError, ServiceName } from '@parley/contracts';

/** What of pino's interface this library calls. */
export interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** How a trace context passes through; a service gives its own, which rests on AsyncLocalStorage. */
export interface TraceCarrier {
  /** The W3C traceparent of what is being handled now. */
  current(): string | undefined;
  /** Handles a request under the trace of who asked. */
  answer<T>(name: string, traceparent: string | undefined, handle: () => T): T;
  /** Handles an event under the trace of what caused it. */
  consume<T>(name: string, traceparent: string | undefined, handle: () => T): T;
  /** Handles a batch in which these traces take part. */
  batch<T>(name: string, traceparents: Iterable<string>, handle: () => Promise<T>): Promise<T>;
}

/** What is wrong with an envelope; `malformed` is no JSON, or nothing of that kind. */
export type Refusal = 'outdated' | 'tooNew' | 'malformed';

export interface BrokerOptions {
  /** amqp:// or amqps:// with user, password and virtual host. */
  url: string;
  /** For amqps://: options of `tls.connect`, read again for every connection. */
  tls?: ConnectionOptions;
  service: ServiceName;
  /** Unique per process start: queues of an instance are named by it. */
  instanceId: string;
  logger: Logger;
  trace?: TraceCarrier;
  /** What an asker may see of something that a handler threw; without it only a ParleyError is told as it is. */
  toError?(error: unknown): ParleyError;
  /** A sentence for the log on why a connection failed, where there is more to say than the error itself. */
  explain?(error: unknown): string | undefined;
  /** Told of every envelope that this build does not read. */
  onRefused?(kind: EnvelopeKind, refusal: Refusal): void;
  /** Told of every message or answer that was not sent, because RabbitMQ would end the connection at one of its size. */
  onTooLarge?(): void;
}

import {
  MemoryStorage,
  silentLogger,
  systemClock,
  type Clock,
  type Environment,
  type KeyValueStorage,
  type Logger,
} from './environment';
import type { FetchLike } from './http/transport';
import type { Exclusive } from './session/session';
import type { TraceSource } from './trace';

export interface ParleyClientOptions {
  /** Address of the gateway, for example `http://localhost:8000`. */
  url: string;
  /** Keeps tokens and unsent messages. Forgotten with the process unless given. */
  storage?: KeyValueStorage;
  /** Keeps conversations in `storage` too, so that the next process starts with them. */
  persistState?: boolean;
  fetch?: FetchLike;
  /** Name of this device in the list of sessions. */
  device?: string;
  logger?: Logger;
  clock?: Clock;
  /** Uniform in [0, 1); for jitter only. */
  random?: () => number;
  /** How the socket proves who it is: a ticket where headers cannot be set, which is the default in browsers. */
  credentials?: 'header' | 'ticket';
  /** `all` keeps every conversation's messages up to date; `opened` only those that `open` was called for. */
  hold?: 'all' | 'opened';
  /** Messages kept per conversation; older ones are loaded again when asked for. */
  messagesMax?: number;
  /**
   * Asked before each request and socket event: the `traceparent` that goes with it, so that one trace leads from here to
   * the last delivery. `newTraceparent` begins one; a page that has OpenTelemetry gives its own.
   */
  traceparent?: TraceSource;
  httpTimeoutMs?: number;
  ackTimeoutMs?: number;
  readyTimeoutMs?: number;
}

/** A page, or one of its workers: neither sets headers of a websocket, and both may share a storage with others. */
export const isBrowser = 'document' in globalThis || 'WorkerGlobalScope' in globalThis;

export function environmentOf(options: ParleyClientOptions): Environment {
  return {
    clock: options.clock ?? systemClock,
    storage: options.storage ?? new MemoryStorage(),
    logger: options.logger ?? silentLogger,
    random: options.random ?? Math.random,
  };
}

/** A lock over all tabs where the browser has locks; elsewhere a storage belongs to one client. */
export const exclusive: Exclusive = (name, task) => {
  type Locks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };
  const { locks } = ((globalThis as { navigator?: object }).navigator ?? {}) as { locks?: Locks };
  return isBrowser && locks ? locks.request(name, task) : task();
};

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import type { Span } from '@opentelemetry/api';

/** What follows one piece of work through every process: our own request id and the W3C trace context. */
export interface RequestContext {
  readonly requestId: string;
  /** W3C `traceparent`, version 00: `00-<trace id>-<this service's span id>-<flags>`. */
  readonly traceparent: string;
  /** The span of this work, where its trace is sampled and this process exports traces. */
  readonly span?: Span;
}

const storage = new AsyncLocalStorage<RequestContext>();

const requestIdPattern = /^[A-Za-z0-9._:/+=-]{1,128}$/;
const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** The fields of a W3C `traceparent`. */
export interface TraceParent {
  traceId: string;
  spanId: string;
  isSampled: boolean;
}

/** Reads what a caller says of its trace; undefined for what is not well formed, which counts as nothing said. */
export function parseTraceparent(text: unknown): TraceParent | undefined {
  const fields = typeof text === 'string' ? traceparentPattern.exec(text) : null;
  const [, traceId, spanId, flags] = fields ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, isSampled: (parseInt(flags, 16) & 1) === 1 };
}

/**
 * Takes the caller's ids where they are well formed and makes new ones where they are not, so that nobody can put
 * foreign bytes into our logs. The trace id is kept; the span id is always our own. A trace that begins here is not sampled.
 */
export function makeContext(from: { requestId?: unknown; traceparent?: unknown } = {}): RequestContext {
  const parent = parseTraceparent(from.traceparent);
  const own = nextId();
  const requestId =
    typeof from.requestId === 'string' && requestIdPattern.test(from.requestId) ? from.requestId : own;
  const traceId = parent?.traceId ?? own;
  return { requestId, traceparent: `00-${traceId}-${own.slice(8, 24)}-${parent?.isSampled ? '01' : '00'}` };
}

const process24 = randomBytes(12).toString('hex');
let count = 0;

/**
 * 32 hexadecimal digits, never the same twice: this process's random part and a counter, which costs less than asking the
 * system for randomness at each event. The middle, digits 8 to 23, differs between processes and ids too.
 */
function nextId(): string {
  count = (count + 1) % 0x1_0000_0000;
  return process24.slice(0, 16) + count.toString(16).padStart(8, '0') + process24.slice(16);
}

/** Runs `work`, and all that it awaits, under the context. Doors that are not HTTP (broker, socket) call this themselves. */
export function runInContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The context of the work under way; a fresh one where none was set, for example in a timer. */
export function currentContext(): RequestContext {
  return storage.getStore() ?? makeContext();
}

/** The context of the work under way, if there is one. */
export function activeContext(): RequestContext | undefined {
  return storage.getStore();
}

import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** What follows one piece of work through every process: our own request id and the W3C trace context. */
export interface RequestContext {
  readonly requestId: string;
  /** W3C `traceparent`, version 00: `00-<trace id>-<this service's span id>-<flags>`. */
  readonly traceparent: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

const requestIdPattern = /^[A-Za-z0-9._:/+=-]{1,128}$/;
const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/**
 * Takes the caller's ids where they are well formed and makes new ones where they are not, so that nobody can put
 * foreign bytes into our logs. The trace id is kept; the span id is always our own.
 */
export function makeContext(from: { requestId?: unknown; traceparent?: unknown } = {}): RequestContext {
  const requestId =
    typeof from.requestId === 'string' && requestIdPattern.test(from.requestId)
      ? from.requestId
      : randomUUID();
  const parent = typeof from.traceparent === 'string' ? traceparentPattern.exec(from.traceparent) : null;
  return {
    requestId,
    traceparent: `00-${parent?.[1] ?? randomHex()}-${randomHex().slice(0, 16)}-${parent?.[2] ?? '01'}`,
  };
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

/** The trace id inside a `traceparent`. */
export function traceIdOf(context: RequestContext): string {
  return context.traceparent.slice(3, 35);
}

function randomHex(): string {
  return randomUUID().replaceAll('-', '');
}

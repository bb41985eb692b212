import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
  type Context,
  type Link,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { ParleyError } from '@parley/contracts';
import { activeContext, makeContext, parseTraceparent, runInContext, type RequestContext } from './context';

/** Where spans go, and how many; null while this process exports none. */
interface Recording {
  tracer: Tracer;
  /** Share of the traces that begin here, 0 to 1. */
  ratio: number;
  /** Whether a caller from outside that asks for a trace gets one; each call counts. */
  admits(): boolean;
}

let recording: Recording | null = null;

/** From now on sampled work is recorded; null ends that. */
export function record(to: Recording | null): void {
  recording = to;
}

/**
 * The context of work that comes from outside. A caller's trace is followed, and sampled as the caller says within what is
 * admitted; of the others the configured share is sampled. Whoever calls ends the span, if there is one: `endSpan`.
 */
export function enterContext(
  name: string,
  from: { requestId?: unknown; traceparent?: unknown } = {},
): RequestContext {
  const context = makeContext(from);
  if (!recording) return context;
  const parent = from.traceparent === undefined ? undefined : parseTraceparent(from.traceparent);
  if (parent ? parent.isSampled && recording.admits() : Math.random() < recording.ratio) {
    const { requestId } = context;
    const options = { kind: SpanKind.SERVER, attributes: { 'parley.request.id': requestId } };
    const span = recording.tracer.startSpan(name, options, parent ? remote(from.traceparent) : ROOT_CONTEXT);
    return { requestId, traceparent: traceparentOf(span), span };
  }
  return parent?.isSampled ? { ...context, traceparent: `${context.traceparent.slice(0, -2)}00` } : context;
}

/**
 * Handles what another of our processes sent, under its trace. The span lasts until what `handle` returns has settled.
 *
 * @param kind `SERVER` where somebody waits for the answer, `CONSUMER` where nobody does
 */
export function continueTrace<T>(
  name: string,
  kind: SpanKind,
  traceparent: string | undefined,
  handle: () => T,
): T {
  const span = startSpan(name, traceparent, { kind });
  if (!span) return runInContext(makeContext({ traceparent }), handle);
  const { requestId } = makeContext();
  return runInContext({ requestId, traceparent: traceparentOf(span), span }, () => endWith(span, handle));
}

/**
 * Does work that serves many traces at once. It has a trace of its own, with links to them; in each of them stands a span
 * that lasts as long and links back.
 */
export function traceBatch<T>(
  name: string,
  traceparents: Iterable<string>,
  work: () => Promise<T>,
): Promise<T> {
  const parents = [...traceparents];
  const whole = startSpan(`${name} batch`, null, { links: parents.flatMap(linkTo) });
  if (!whole) return work();
  const links = [{ context: whole.spanContext() }];
  const parts = parents.flatMap(
    (parent) => startSpan(name, parent, { kind: SpanKind.CONSUMER, links }) ?? [],
  );
  const { requestId } = makeContext();
  return runInContext({ requestId, traceparent: traceparentOf(whole), span: whole }, async () => {
    let failure: unknown;
    try {
      return await work();
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      for (const span of [...parts, whole]) endSpan(span, failure);
    }
  });
}

/**
 * A span below `parent`, a traceparent or a span of this process; null begins a trace. Undefined where nothing is recorded
 * or the parent's trace is not sampled.
 */
export function startSpan(
  name: string,
  parent: string | Span | null | undefined,
  options: SpanOptions = {},
): Span | undefined {
  if (!recording || parent === undefined) return undefined;
  if (parent === null) return recording.tracer.startSpan(name, options, ROOT_CONTEXT);
  const above = typeof parent === 'string' ? remote(parent) : trace.setSpan(ROOT_CONTEXT, parent);
  return above && recording.tracer.startSpan(name, options, above);
}

/** Ends a span, with what went wrong. That somebody was refused is an outcome and no failure of ours. */
export function endSpan(span: Span, error?: unknown): void {
  if (error !== undefined) {
    const code = error instanceof ParleyError ? error.code : 'internal';
    span.setAttribute('error.type', code);
    if (code === 'internal' || code === 'unavailable') span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** The span of the work under way, where there is one. */
export function activeSpan(): Span | undefined {
  return activeContext()?.span;
}

export function traceparentOf(span: Span): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

/** Runs the work and ends the span when its outcome is there. */
function endWith<T>(span: Span, work: () => T): T {
  let result: T;
  try {
    result = work();
  } catch (error) {
    endSpan(span, error);
    throw error;
  }
  if (!(result instanceof Promise)) {
    endSpan(span);
    return result;
  }
  return result.then(
    (value: unknown) => {
      endSpan(span);
      return value;
    },
    (error: unknown) => {
      endSpan(span, error);
      throw error;
    },
  ) as T;
}

/** The span of another process as a parent; undefined where it is not sampled. */
function remote(traceparent: unknown): Context | undefined {
  const parent = parseTraceparent(traceparent);
  if (!parent?.isSampled) return undefined;
  const { traceId, spanId } = parent;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  });
}

function linkTo(traceparent: string): Link[] {
  const context = remote(traceparent);
  const to = context && trace.getSpanContext(context);
  return to ? [{ context: to }] : [];
}

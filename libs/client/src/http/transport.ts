import { errorCatalog, ParleyError, type ErrorCode, type Problem, type Route } from '@parley/contracts';
import type { TraceSource } from '../trace';

export type FetchLike = (url: string, init: RequestInit) => Promise<Response>;

/** The parts of a request. Query values are as a program has them; lists travel separated by commas. */
export interface RequestParts {
  params?: Record<string, unknown>;
  query?: Record<string, unknown>;
  body?: unknown;
  idempotencyKey?: string;
  accessToken?: string;
  signal?: AbortSignal;
}

/** Dots alone and nothing at all, however they are escaped, make another path: of a message's reaction, that of the message. */
const NO_SEGMENT = /^\.{0,2}$/;

/** @throws ParleyError `invalid_request` for a path parameter that cannot be one */
function buildUrl(base: string, route: Route, parts: RequestParts): string {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(parts.params?.[name]);
    if (NO_SEGMENT.test(value)) {
      const message = 'cannot be a part of an address';
      throw new ParleyError('invalid_request', `${name}: ${message}`, { errors: [{ path: name, message }] });
    }
    return encodeURIComponent(value);
  });
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts.query ?? {})) {
    if (value !== undefined && value !== null) query.set(name, String(value));
  }
  const search = query.toString();
  return base.replace(/\/+$/, '') + path + (search === '' ? '' : `?${search}`);
}

function retryAfterMs(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : undefined;
}

/** An answer that is not the server's: something between, a proxy or a page that wants a login first, gave one of its own. */
export class ForeignAnswer extends ParleyError {}

/** Of such an answer the status alone says something. */
function codeOfStatus(status: number): ErrorCode {
  if (status >= 502) return 'unavailable';
  const codes = Object.keys(errorCatalog) as ErrorCode[];
  return codes.find((code) => errorCatalog[code].status === status) ?? 'internal';
}

async function refusal(response: Response): Promise<ParleyError> {
  const problem = (await response.json().catch(() => undefined)) as Partial<Problem> | null | undefined;
  const extras = { retryAfterMs: retryAfterMs(response), errors: problem?.errors };
  const { code } = problem ?? {};
  if (code !== undefined && code in errorCatalog)
    return new ParleyError(code as ErrorCode, problem?.detail ?? problem?.title, extras);
  return new ForeignAnswer(codeOfStatus(response.status), problem?.detail ?? problem?.title, extras);
}

/** Sends requests and turns every failure into a ParleyError: problem+json as it says, no answer as `unavailable`. */
export class HttpTransport {
  constructor(
    private readonly url: string,
    private readonly fetch: FetchLike,
    private readonly timeoutMs: number,
    private readonly trace?: TraceSource,
  ) {}

  async send(route: Route, parts: RequestParts): Promise<unknown> {
    const headers: Record<string, string> = { accept: 'application/json' };
    if (parts.body !== undefined) headers['content-type'] = 'application/json';
    if (parts.accessToken !== undefined) headers['authorization'] = `Bearer ${parts.accessToken}`;
    if (parts.idempotencyKey !== undefined) headers['idempotency-key'] = parts.idempotencyKey;

    const traceparent = this.trace?.();
    if (traceparent !== undefined) headers['traceparent'] = traceparent;

    const { signal, done } = boundedSignal(this.timeoutMs, parts.signal);
    const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
    try {
      const response = await this.fetch(buildUrl(this.url, route, parts), {
        method: route.method,
        headers,
        body,
        signal,
      });
      if (!response.ok) throw await refusal(response);
      const text = await response.text();
      return text === '' ? undefined : JSON.parse(text);
    } catch (error) {
      if (error instanceof ParleyError || parts.signal?.aborted) throw error;
      throw new ParleyError('unavailable', `No answer: ${reasonOf(error)}`);
    } finally {
      done();
    }
  }
}

/** Aborts after so long, and when `given` does; by hand, for platforms whose `AbortSignal` has neither `timeout` nor `any`. */
function boundedSignal(timeoutMs: number, given?: AbortSignal): { signal: AbortSignal; done(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort(given?.reason);
  const timer = setTimeout(() => controller.abort(new Error('It took too long.')), timeoutMs);
  if (given?.aborted) abort();
  else given?.addEventListener('abort', abort);
  const done = () => {
    clearTimeout(timer);
    given?.removeEventListener('abort', abort);
  };
  return { signal: controller.signal, done };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

import { setTimeout as delay } from 'node:timers/promises';

export interface HttpRequest {
  accessToken?: string;
  body?: object;
  headers?: Record<string, string>;
  /** Told of every refusal that is tried again, with its status and what it says. */
  onRefused?: (status: number, text: string) => void;
}

const TRIES = 30;

/** A refusal that trying again would not change. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Sends one request and gives back its JSON. What may be retried (429, 503, a broken connection) is, after the time that
 * the server asked for.
 * @throws HttpError when the server refuses; Error when it stays away.
 */
export async function requestJson<T>(method: string, url: string, request: HttpRequest = {}): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await send(method, url, request).catch((error: Error) => error);
    if (!(answer instanceof Error)) {
      if (answer.ok) return (answer.status === 204 ? undefined : await answer.json()) as T;
      const text = await answer.text();
      if ((answer.status !== 429 && answer.status !== 503) || attempt >= TRIES)
        throw new HttpError(answer.status, codeOf(text), `${method} ${url}: ${answer.status} ${text}`);
      request.onRefused?.(answer.status, text);
    } else if (attempt >= TRIES) {
      throw answer;
    }
    const seconds = answer instanceof Error ? NaN : Number(answer.headers.get('retry-after'));
    await delay(Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 200);
  }
}

function send(method: string, url: string, { accessToken, body, headers = {} }: HttpRequest) {
  return fetch(url, {
    method,
    headers: {
      ...headers,
      ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(15_000),
  });
}

function codeOf(problem: string): string {
  try {
    return String((JSON.parse(problem) as { code?: unknown }).code);
  } catch {
    return 'unknown';
  }
}

/** Runs `work` for every item, at most `parallel` at a time; results in the order of the items. */
export async function mapBounded<T, R>(
  items: readonly T[],
  parallel: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index] as T, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, items.length) }, worker));
  return results;
}

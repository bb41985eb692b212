import { type IncomingHttpHeaders, request } from 'node:http';
import { request as requestEncrypted } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** One plain request on a connection of its own. `from` is the loopback address that it comes from, `ca` who is trusted over TLS. */
export function ask(
  url: string,
  options: {
    from?: string;
    method?: string;
    headers?: Record<string, string>;
    body?: object;
    ca?: string;
  } = {},
): Promise<Reply> {
  const { from, body, method = body ? 'POST' : 'GET', headers, ca } = options;
  return new Promise((resolve, reject) => {
    const asked = (ca === undefined ? request : requestEncrypted)(
      url,
      {
        method,
        headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
        ...(from && { localAddress: from }),
        agent: false,
        ...(ca !== undefined && { ca }),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }));
      },
    );
    asked.on('error', reject);
    asked.end(body && JSON.stringify(body));
  });
}

const POLL_MS = 50;
const PATIENCE_MS = 60_000;

/** Tries again until it does not throw; after a minute its last error counts. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await delay(POLL_MS);
    }
  }
}

/** Rate limits count by hours of the clock: what crosses into the next one is done again. */
export async function withinOneHour(run: () => Promise<void>): Promise<void> {
  const hour = () => Math.floor(Date.now() / 3_600_000);
  for (;;) {
    const before = hour();
    try {
      return await run();
    } catch (error) {
      if (hour() === before) throw error;
    }
  }
}

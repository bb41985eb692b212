import assert from 'node:assert/strict';
import { request as requestHttp, type IncomingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { WebSocket } from 'ws';
import type { Echo } from './echo';

export interface Send {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  /** Sends the body without its length. */
  chunked?: boolean;
}

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

const TIMEOUT_MS = 15_000;

/** Sends one request on a connection of its own, the path byte for byte as given. */
export function send(
  url: string,
  path: string,
  { method = 'GET', headers = {}, body, chunked }: Send = {},
): Promise<Reply> {
  const { hostname, port, protocol } = new URL(url);
  const request = protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method, headers, agent: false, timeout: TIMEOUT_MS });
    outgoing.on('timeout', () =>
      outgoing.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS} ms`)),
    );
    // A refusal may come while the body is still being sent, and the connection then breaks.
    outgoing.on('error', (error) => reject(new Error(`${method} ${path}: ${error.message}`)));
    outgoing.on('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode!,
          headers: incoming.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    if (body !== undefined && !chunked) outgoing.setHeader('content-length', Buffer.byteLength(body));
    if (chunked) {
      outgoing.setHeader('transfer-encoding', 'chunked');
      outgoing.write(body);
    }
    outgoing.end(chunked ? undefined : body);
  });
}

/** What the service behind the gateway got; fails when the gateway answered itself. */
export function echoOf(reply: Reply): Echo {
  assert.equal(reply.status, 200, `expected to reach the service, got ${reply.status} ${reply.text}`);
  return JSON.parse(reply.text) as Echo;
}

const codes: Record<number, string> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  404: 'not_found',
  413: 'payload_too_large',
  429: 'rate_limited',
  500: 'internal',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};

/** The gateway's own refusal: the contract's problem+json with the request's id, and when to retry where that is due. */
export function expectProblem(reply: Reply, status: number, code = codes[status]): void {
  assert.equal(reply.status, status, reply.text);
  assert.match(reply.headers['content-type'] ?? '', /^application\/problem\+json/);
  const problem = JSON.parse(reply.text) as Record<string, unknown>;
  assert.equal(problem.status, status);
  assert.equal(problem.code, code);
  assert.equal(problem.requestId, reply.headers['x-request-id']);
  for (const field of ['type', 'title', 'detail', 'requestId'])
    assert.ok(
      typeof problem[field] === 'string' && problem[field] !== '',
      `${field} is missing in ${reply.text}`,
    );
  if (status === 429 || status === 503) assert.match(reply.headers['retry-after'] ?? '', /^[1-9]\d*$/);
}

export interface OpenedSocket {
  socket: WebSocket;
  /** What the service behind the gateway got with the upgrade. */
  echo: Pick<Echo, 'name' | 'url' | 'headers'>;
}

/** Opens a WebSocket; an HTTP answer instead comes back as such. */
export function openSocket(
  url: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<OpenedSocket | Reply> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, 'ws') + path, {
      headers,
      handshakeTimeout: TIMEOUT_MS,
    });
    socket.on('error', reject);
    socket.once('message', (data) =>
      resolve({ socket, echo: JSON.parse(String(data as Buffer)) as OpenedSocket['echo'] }),
    );
    socket.on('unexpected-response', (_, response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
  });
}

export function expectOpen(result: OpenedSocket | Reply): OpenedSocket {
  if ('socket' in result) return result;
  throw new assert.AssertionError({
    message: `expected an open socket, got ${result.status} ${result.text}`,
  });
}

export function expectRefused(result: OpenedSocket | Reply, status: number): void {
  if ('socket' in result) {
    result.socket.terminate();
    throw new assert.AssertionError({ message: `expected ${status}, got an open socket` });
  }
  expectProblem(result, status);
}

/** Sends on an open socket and waits for the same to come back. */
export function expectAlive({ socket }: OpenedSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('message', (data) => {
      try {
        assert.equal(String(data as Buffer), text);
        resolve();
      } catch (error) {
        reject(error as Error);
      }
    });
    socket.once('close', () => reject(new Error('the socket was closed')));
    socket.send(text);
  });
}

/** Repeats until the condition holds; fails with what it last said. */
export async function eventually(check: () => Promise<void>, withinMs = 15_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

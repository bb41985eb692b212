import assert from 'node:assert/strict';
import { expectProblem, expectRefused, openSocket, send, type Reply } from './client';
import { contractCalls, unknownCalls } from './contract-calls';
import { makeKey, makeToken } from './keys';
import { bearer } from './world';

const body = (method: string) =>
  method === 'GET' || method === 'HEAD' || method === 'DELETE' ? undefined : '{}';
const nobody = () => bearer(makeToken(makeKey('nobody'), 'nobody'));

function expectRefusal(reply: Reply, method: string, status: number): void {
  if (method === 'HEAD') assert.equal(reply.status, status);
  else expectProblem(reply, status);
}

/** What can be asked of a whole running product, whose keys and services are its own. It changes nothing there. */
const checks: { title: string; run(url: string): Promise<void> }[] = [
  {
    title: 'every call that needs a token refuses none and a forged one',
    async run(url) {
      for (const { method, path } of contractCalls.filter(({ open }) => !open))
        for (const headers of [{}, nobody()])
          expectRefusal(await send(url, path, { method, headers, body: body(method) }), method, 401);
    },
  },
  {
    title: 'public documents are read without a token',
    async run(url) {
      for (const { method, path } of contractCalls.filter(({ open, method: m }) => open && m !== 'POST')) {
        const reply = await send(url, path, { method });
        assert.ok(reply.status < 400, `${method} ${path}: ${reply.status} ${reply.text}`);
        assert.match(String(reply.headers['ratelimit-remaining']), /^\d+$/);
      }
    },
  },
  {
    title: 'everything else is 404',
    async run(url) {
      for (const [method, path] of unknownCalls)
        expectProblem(await send(url, path, { method, headers: nobody(), body: body(method) }), 404);
    },
  },
  {
    title: 'dots and escapes do not lead past the token check',
    async run(url) {
      for (const path of [
        '/docs/../v1/users/me',
        '/docs/%2e%2e/v1/users/me',
        '//v1/users/me',
        '/v1/%75sers/me',
      ])
        expectProblem(await send(url, path), 401);
    },
  },
  {
    title: 'a socket opens for nobody without a token',
    async run(url) {
      const path = '/realtime/?EIO=4&transport=websocket';
      expectRefused(await openSocket(url, path), 401);
      expectRefused(await openSocket(url, `${path}&ticket=nonsense`), 401);
      expectRefused(await openSocket(url, path, nobody()), 401);
    },
  },
  {
    title: 'preflights are answered, refusals carry CORS headers',
    async run(url) {
      const preflight = { origin: 'http://localhost:8000', 'access-control-request-method': 'POST' };
      const reply = await send(url, '/v1/conversations', { method: 'OPTIONS', headers: preflight });
      assert.equal(reply.status, 200);
      assert.match(reply.headers['access-control-allow-methods'] ?? '', /POST/);
      const refused = await send(url, '/v1/conversations', { headers: { origin: 'http://localhost:8000' } });
      assert.match(String(refused.headers['access-control-expose-headers']), /Retry-After/);
    },
  },
  {
    title: 'a request id is kept or made',
    async run(url) {
      const kept = await send(url, '/v1/limits', { headers: { 'x-request-id': 'mine-1' } });
      assert.equal(kept.headers['x-request-id'], 'mine-1');
      assert.match(String((await send(url, '/v1/limits')).headers['x-request-id']), /^[\w.-]{16,64}$/);
    },
  },
  {
    title: 'a body that is too large is 413, chunked too',
    async run(url) {
      for (const chunked of [false, true])
        expectProblem(
          await send(url, '/v1/auth/login', { method: 'POST', body: 'x'.repeat(300_000), chunked }),
          413,
        );
    },
  },
];

/** Returns how many failed. */
export async function runProductChecks(url: string, print: (line: string) => void): Promise<number> {
  print(`a running product, at ${url}`);
  let failed = 0;
  for (const { title, run } of checks) {
    try {
      await run(url);
      print(`ok    ${title}`);
    } catch (error) {
      failed += 1;
      print(`FAIL  ${title}\n      ${(error as Error).message.replaceAll('\n', '\n      ')}`);
    }
  }
  return failed;
}

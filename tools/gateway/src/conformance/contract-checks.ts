import assert from 'node:assert/strict';
import { echoOf, expectAlive, expectOpen, expectProblem, expectRefused } from './client';
import { origins } from './config';
import { contractCalls, unknownCalls, type ContractCall } from './contract-calls';
import { bearer, type Point, type World } from './world';

const body = (method: string) =>
  method === 'GET' || method === 'HEAD' || method === 'DELETE' ? undefined : '{}';

async function reaches(
  world: World,
  { method, path, app }: ContractCall,
  headers: Record<string, string>,
): Promise<void> {
  const reply = await world.send(path, { method, headers, body: body(method) });
  // An answer to HEAD has no body to say who gave it; its status shows that it came from behind the gateway.
  if (method === 'HEAD') return assert.equal(reply.status, 200);
  const echo = echoOf(reply);
  assert.equal(echo.name, app, `${method} ${path}`);
  assert.equal(echo.method, method);
  assert.equal(echo.url, path);
}

const paths = (calls: ContractCall[]) => calls.map(({ method, path }) => `${method} ${path}`);

/** What docker/kong/kong.yml as a whole must do with the calls of the public contract. */
export const contractChecks: Omit<Point, 'number'>[] = [
  {
    title: 'every call reaches its app with a token',
    async run(world) {
      for (const call of contractCalls) await reaches(world, call, bearer(world.token()));
    },
  },
  {
    title: 'only public calls get through without a token',
    async run(world) {
      for (const call of contractCalls.filter(({ open }) => open)) await reaches(world, call, {});
      for (const { method, path } of contractCalls.filter(({ open }) => !open)) {
        const reply = await world.send(path, { method, body: body(method) });
        if (method === 'HEAD') assert.equal(reply.status, 401);
        else expectProblem(reply, 401);
      }
    },
  },
  {
    title: 'a bad token does not hinder public calls',
    async run(world) {
      for (const call of contractCalls.filter(({ open }) => open))
        await reaches(world, call, bearer(world.token('a', { signature: Buffer.alloc(64, 1) })));
    },
  },
  {
    title: 'everything else is 404, with or without a token',
    async run(world) {
      for (const [method, path] of unknownCalls)
        for (const headers of [{}, bearer(world.token())])
          expectProblem(await world.send(path, { method, headers, body: body(method) }), 404);
    },
  },
  {
    title: 'preflights of every call are answered',
    async run(world) {
      for (const [index, text] of [...new Set(paths(contractCalls))].entries()) {
        const [method, path] = text.split(' ') as [string, string];
        const origin = origins[index % origins.length]!;
        const headers = { origin, 'access-control-request-method': method };
        const reply = await world.send(path, { method: 'OPTIONS', headers });
        assert.equal(reply.status, 200, text);
        assert.equal(reply.headers['access-control-allow-origin'], origin);
        assert.ok(reply.headers['access-control-allow-methods']!.split(',').includes(method), text);
      }
    },
  },
  {
    title: 'a ticket opens a socket and nothing else; an access token counts only in the header',
    async run(world) {
      const path = '/realtime/?EIO=4&transport=websocket';
      const byTicket = expectOpen(await world.open(`${path}&ticket=${world.ticket()}`));
      assert.equal(byTicket.echo.name, 'realtime');
      await expectAlive(byTicket, 'ticket');
      byTicket.socket.terminate();
      const byToken = expectOpen(await world.open(path, bearer(world.token())));
      await expectAlive(byToken, 'token');
      byToken.socket.terminate();
      expectRefused(await world.open(`${path}&ticket=${world.token()}`), 401);
      expectRefused(await world.open(path, bearer(world.ticket())), 401);
      expectProblem(await world.send('/v1/users/me', { headers: bearer(world.ticket()) }), 401);
      expectProblem(await world.send(`/v1/users/me?ticket=${world.ticket()}`), 401);
    },
  },
  {
    title: 'a body of 256 KiB passes, one byte more is 413',
    async run(world) {
      const mine = { method: 'POST', headers: bearer(world.token()) };
      const fits = await world.send('/v1/sync', { ...mine, body: 'x'.repeat(256 * 1024) });
      assert.equal(echoOf(fits).body.length, 256 * 1024);
      for (const chunked of [false, true])
        expectProblem(
          await world.send('/v1/sync', { ...mine, body: 'x'.repeat(256 * 1024 + 1), chunked }),
          413,
        );
    },
  },
];

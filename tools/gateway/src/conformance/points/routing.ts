import assert from 'node:assert/strict';
import { echoOf, expectProblem } from '../client';
import { bearer, type Point, type World } from '../world';

async function served(world: World, path: string, method = 'GET'): Promise<string> {
  return echoOf(await world.send(path, { method })).url.split('/')[1]!;
}

export const routingPoints: Point[] = [
  {
    number: 16,
    title: 'an unmatched path is 404, and so is an unmatched method',
    async run(world) {
      for (const path of ['/', '/nowhere', '/PRIVATE', '/Order']) expectProblem(await world.send(path), 404);
      echoOf(await world.send('/get-only'));
      for (const method of ['POST', 'DELETE', 'HEAD']) {
        const reply = await world.send('/get-only', { method });
        if (method === 'HEAD') assert.equal(reply.status, 404);
        else expectProblem(reply, 404);
      }
    },
  },
  {
    number: 17,
    title: 'more match fields beat a regex, a regex beats a prefix, a longer prefix beats a shorter one',
    async run(world) {
      assert.equal(await served(world, '/order'), 'prefix');
      assert.equal(await served(world, '/ordering'), 'prefix');
      assert.equal(await served(world, '/order/other'), 'prefix');
      assert.equal(await served(world, '/order/longer/still'), 'longer');
      assert.equal(await served(world, '/order/12'), 'regex');
      assert.equal(await served(world, '/order/12/more'), 'prefix');
      for (const path of ['/order', '/order/12', '/order/longer/still'])
        assert.equal(await served(world, path, 'PUT'), 'method');
    },
  },
  {
    number: 18,
    title: 'dots, double slashes and needless escapes are resolved; %2F and %20 are kept',
    async run(world) {
      const paths = {
        '/open/a/../b//c/./d': '/open/b/c/d',
        '/open/%7Ea%2Db': '/open/~a-b',
        '/open/a%2Fb%20c': '/open/a%2Fb%20c',
        '/open/%2fx?q=%2F..%20': '/open/%2Fx?q=%2F..%20',
        '//open//a': '/open/a',
      };
      for (const [path, expected] of Object.entries(paths))
        assert.equal(echoOf(await world.send(path)).url, expected);
      for (const path of ['/open/../private', '/open/%2E%2e/private', '//private', '/open/..//private'])
        expectProblem(await world.send(path), 401);
    },
  },
  {
    number: 19,
    title: 'strip_path takes the matched part away, preserve_host keeps the name that was asked for',
    async run(world) {
      const stripped = echoOf(await world.send('/strip/a/b?c=d', { headers: { host: 'chat.test' } }));
      assert.equal(stripped.url, '/a/b?c=d');
      assert.equal(stripped.headers.host, 'chat.test');
      assert.equal(echoOf(await world.send('/strip')).url, '/');
      const kept = echoOf(await world.send('/open/a', { headers: { host: 'chat.test' } }));
      assert.equal(kept.url, '/open/a');
      assert.notEqual(kept.headers.host, 'chat.test');
    },
  },
  {
    number: 20,
    title: 'the service learns where the request came from',
    async run(world) {
      const asked = {
        host: 'chat.test:8000',
        'x-forwarded-for': '192.0.2.7',
        'x-real-ip': '192.0.2.7',
        'x-forwarded-host': 'evil.test',
      };
      const { headers } = echoOf(
        await world.send('/private', { headers: { ...bearer(world.token()), ...asked } }),
      );
      assert.match(headers['x-forwarded-for']!, /^192\.0\.2\.7, ?[\d.:a-f]+$/);
      // The apps believe it, so a client's own must never reach them.
      assert.match(headers['x-real-ip']!, /^[\d.:a-f]+$/);
      assert.notEqual(headers['x-real-ip'], '192.0.2.7');
      assert.equal(headers['x-forwarded-proto'], 'http');
      assert.equal(headers['x-forwarded-host'], 'chat.test');
      assert.match(headers['x-forwarded-port']!, /^\d+$/);
      assert.match(headers.via!, /^1\.1 /);
    },
  },
];

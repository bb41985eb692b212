import assert from 'node:assert/strict';
import { expectProblem } from '../client';
import { origins, userLimit } from '../config';
import { bearer, type Point } from '../world';

const evil: Record<string, string>[] = [{}, { origin: 'http://evil.test' }];
const allowed = 'access-control-allow-origin';

export const corsPoints: Point[] = [
  {
    number: 30,
    title: 'a preflight is 200 without a token',
    async run(world) {
      const headers = { origin: origins[0]!, 'access-control-request-method': 'POST' };
      const reply = await world.send('/private', { method: 'OPTIONS', headers });
      assert.equal(reply.status, 200);
      assert.equal(reply.text, '');
      assert.equal(reply.headers[allowed], origins[0]);
      assert.equal(reply.headers['access-control-allow-methods'], 'GET,POST');
      assert.equal(reply.headers['access-control-allow-headers'], 'Authorization');
      assert.equal(reply.headers['access-control-max-age'], '600');
    },
  },
  {
    number: 31,
    title: 'one origin is always sent, several are echoed where listed',
    async run(world) {
      for (const headers of [...evil, { origin: origins[0]! }])
        assert.equal((await world.send('/one-origin', { headers })).headers[allowed], origins[0]);
      for (const origin of origins)
        assert.equal((await world.send('/open', { headers: { origin } })).headers[allowed], origin);
      for (const headers of evil)
        assert.equal((await world.send('/open', { headers })).headers[allowed], undefined);
    },
  },
  {
    number: 32,
    title: '401 and 429 carry CORS headers',
    async run(world) {
      const headers = { origin: origins[1]! };
      const refused = await world.send('/private', { headers });
      expectProblem(refused, 401);
      assert.equal(refused.headers[allowed], origins[1]);
      assert.equal(refused.headers['access-control-expose-headers'], 'X-Request-Id');
      const mine = { headers: { ...headers, ...bearer(world.token()) } };
      let reply = await world.send('/limited/a', mine);
      for (let count = 0; count < 2 * userLimit && reply.status === 200; count += 1)
        reply = await world.send('/limited/a', mine);
      expectProblem(reply, 429);
      assert.equal(reply.headers[allowed], origins[1]);
    },
  },
];

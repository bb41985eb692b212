import assert from 'node:assert/strict';
import { echoOf, expectProblem } from '../client';
import type { Point } from '../world';

export const responsePoints: Point[] = [
  {
    number: 21,
    title: "a service's own 4xx and 5xx stay as they are",
    async run(world) {
      for (const status of [400, 401, 404, 418, 429, 500, 502, 503]) {
        const reply = await world.send(`/open/status/${status}`);
        assert.equal(reply.status, status);
        assert.equal(reply.headers['content-type'], 'text/x-echo');
        assert.equal(reply.text, `main says ${status}`);
        assert.equal(reply.headers['retry-after'], undefined);
      }
    },
  },
  {
    number: 22,
    title: 'a refused or reset connection is 502, a timeout 504',
    async run(world) {
      expectProblem(await world.send('/refused'), 502);
      expectProblem(await world.send('/faults/reset'), 502);
      expectProblem(await world.send('/faults/reset', { method: 'POST', body: '{}' }), 502);
      expectProblem(await world.send('/faults/slow'), 504);
    },
  },
  {
    number: 23,
    title: 'a request id is kept or made, echoed, and the same for the service',
    async run(world) {
      const kept = await world.send('/open', { headers: { 'x-request-id': 'mine-1' } });
      assert.equal(kept.headers['x-request-id'], 'mine-1');
      assert.equal(echoOf(kept).headers['x-request-id'], 'mine-1');
      const made = await world.send('/open');
      assert.match(String(made.headers['x-request-id']), /^[0-9a-f-]{36}$/);
      assert.equal(echoOf(made).headers['x-request-id'], made.headers['x-request-id']);
      const replaced = await world.send('/open', { headers: { 'x-request-id': `a b${'c'.repeat(100)}` } });
      assert.match(String(replaced.headers['x-request-id']), /^[0-9a-f-]{36}$/);
      const refused = await world.send('/private', { headers: { 'x-request-id': 'mine-2' } });
      assert.equal((JSON.parse(refused.text) as { requestId: string }).requestId, 'mine-2');
    },
  },
];

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { echoOf, expectProblem, type Reply } from '../client';
import { userLimit } from '../config';
import { bearer, type Point, type World } from '../world';

const limited = (world: World, token: string, path = '/limited/a', headers = {}) =>
  world.send(path, { headers: { ...bearer(token), ...headers } });

/** Windows are hours of the clock: a run that crosses one starts again. */
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

async function exhaust(world: World, token: string): Promise<Reply[]> {
  const replies: Reply[] = [];
  for (let count = 0; count < userLimit; count += 1) replies.push(await limited(world, token));
  for (const reply of replies) assert.equal(reply.status, 200);
  return replies;
}

export const limitPoints: Point[] = [
  {
    number: 24,
    title: 'an answer says what is left',
    run: (world) =>
      withinOneHour(async () => {
        const token = world.token();
        for (const used of [1, 2]) {
          const { status, headers } = await limited(world, token);
          assert.equal(status, 200);
          for (const name of ['ratelimit-limit', 'x-ratelimit-limit-hour'])
            assert.equal(headers[name], String(userLimit));
          for (const name of ['ratelimit-remaining', 'x-ratelimit-remaining-hour'])
            assert.equal(headers[name], String(userLimit - used));
          assert.match(String(headers['ratelimit-reset']), /^[1-9]\d*$/);
        }
      }),
  },
  {
    number: 25,
    title: 'over the limit is 429 with Retry-After equal to RateLimit-Reset',
    run: (world) =>
      withinOneHour(async () => {
        const token = world.token();
        await exhaust(world, token);
        const reply = await limited(world, token);
        expectProblem(reply, 429);
        assert.equal(reply.headers['retry-after'], reply.headers['ratelimit-reset']);
        assert.equal(reply.headers['ratelimit-remaining'], '0');
      }),
  },
  {
    number: 26,
    title: 'people have separate buckets; a service shares one over its paths',
    run: (world) =>
      withinOneHour(async () => {
        const token = world.token();
        await exhaust(world, token);
        expectProblem(await limited(world, token, '/limited/b'), 429);
        echoOf(await limited(world, world.token()));
      }),
  },
  {
    number: 27,
    title: 'refused tokens take nothing from a bucket, and a spoofed key is ignored',
    run: (world) =>
      withinOneHour(async () => {
        const victim = randomUUID();
        const forged = world.token(victim, { signature: Buffer.alloc(64, 1) });
        for (let count = 0; count <= userLimit; count += 1) expectProblem(await limited(world, forged), 401);
        for (let count = 0; count < userLimit; count += 1)
          echoOf(await limited(world, world.token(), '/limited/a', { 'x-rl-key': `u:${victim}` }));
        const replies = await exhaust(world, world.token(victim));
        assert.equal(replies[0]!.headers['ratelimit-remaining'], String(userLimit - 1));
        assert.equal(echoOf(replies[0]!).headers['x-rl-key'], undefined);
        const spoofed = await limited(world, world.token(victim), '/limited/a', { 'x-rl-key': 'u:somebody' });
        expectProblem(spoofed, 429);
      }),
  },
  {
    number: 28,
    title: 'without Redis a tolerant limit lets through without headers, an intolerant one is 500',
    async run(world) {
      const reply = await world.send('/tolerant', { headers: bearer(world.token()) });
      echoOf(reply);
      assert.equal(reply.headers['ratelimit-limit'], undefined);
      assert.equal(reply.headers['x-ratelimit-limit-hour'], undefined);
      expectProblem(await world.send('/intolerant', { headers: bearer(world.token()) }), 500);
    },
  },
  {
    number: 29,
    title: 'a body over the limit is 413, chunked too',
    async run(world) {
      for (const chunked of [false, true]) {
        const fits = await world.send('/small', { method: 'POST', body: 'x'.repeat(1024), chunked });
        assert.equal(echoOf(fits).body.length, 1024);
        expectProblem(await world.send('/small', { method: 'POST', body: 'x'.repeat(1025), chunked }), 413);
      }
    },
  },
];

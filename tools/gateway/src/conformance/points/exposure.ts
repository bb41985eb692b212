import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { echoOf, expectProblem, type Reply, send } from '../client';
import { userLimit } from '../config';
import { bearer, type Point, type World } from '../world';
import { withinOneHour } from './limits';

/** One of the addresses that are kept for documentation. */
const randomAddress = () => `2001:db8:${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}::1`;

const from = (world: World, address: string, url = world.trustingUrl!) =>
  send(url, '/by-address', { headers: { 'x-forwarded-for': `192.0.2.7, ${address}` } });

export const exposurePoints: Point[] = [
  {
    number: 37,
    title: 'a trusted load balancer is believed about the client: the last address that is none of ours',
    needsTrust: true,
    async run(world) {
      const headers = { ...bearer(world.token()), 'x-forwarded-for': '192.0.2.7, 198.51.100.9' };
      const told = echoOf(
        await send(world.trustingUrl!, '/private', { headers: { ...headers, 'x-forwarded-proto': 'https' } }),
      ).headers;
      assert.equal(told['x-real-ip'], '198.51.100.9');
      assert.match(told['x-forwarded-for']!, /^192\.0\.2\.7, 198\.51\.100\.9, ?[\d.:a-f]+$/);
      assert.equal(told['x-forwarded-proto'], 'https');
      const doubted = echoOf(await world.send('/private', { headers })).headers;
      assert.notEqual(doubted['x-real-ip'], '198.51.100.9');
    },
  },
  {
    number: 38,
    title: 'limits by address count the client behind the load balancer; nobody else can name another',
    needsTrust: true,
    run: (world) =>
      withinOneHour(async () => {
        const [first, second] = [randomAddress(), randomAddress()];
        for (let count = 0; count < userLimit; count += 1) echoOf(await from(world, first));
        expectProblem(await from(world, first), 429);
        echoOf(await from(world, second));
        // An earlier run may have used some of this machine's own bucket.
        const direct: Reply[] = [];
        for (let count = 0; count <= userLimit; count += 1)
          direct.push(await from(world, randomAddress(), world.url));
        expectProblem(direct.at(-1)!, 429);
      }),
  },
  {
    number: 39,
    title: 'an answer gives away nothing of the gateway',
    async run(world) {
      const answers = [await world.send('/open'), await world.send('/private'), await world.send('/nowhere')];
      for (const { headers } of answers)
        for (const name of Object.keys(headers))
          assert.doesNotMatch(name, /^(server|via|x-powered-by|x-kong-.*)$/, `${name}: ${headers[name]}`);
    },
  },
  {
    number: 40,
    title: 'headers without end are refused before anything reads them',
    async run(world) {
      const { status } = await world.send('/open', { headers: { 'x-long': 'x'.repeat(40_000) } });
      assert.ok([400, 431, 494].includes(status), `got ${status}`);
    },
  },
];

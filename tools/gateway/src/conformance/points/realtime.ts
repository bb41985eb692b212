import assert from 'node:assert/strict';
import { once } from 'node:events';
import { echoOf, eventually, expectAlive, expectOpen, expectProblem, expectRefused } from '../client';
import { userLimit } from '../config';
import { bearer, type Point } from '../world';

export const realtimePoints: Point[] = [
  {
    number: 33,
    title: 'an upgrade without or with a bad token is plain HTTP 401, over the limit 429, else 101',
    async run(world) {
      const path = '/realtime/?EIO=4&transport=websocket';
      expectRefused(await world.open(path), 401);
      expectRefused(
        await world.open(path, bearer(world.token('a', { signature: Buffer.alloc(64, 1) }))),
        401,
      );
      expectRefused(await world.open(`${path}&ticket=nonsense`), 401);
      expectRefused(await world.open(`${path}&ticket=${world.token()}`), 401);
      expectRefused(await world.open(path, bearer(world.ticket())), 401);

      const opened = expectOpen(await world.open(`${path}&ticket=${world.ticket()}`));
      assert.equal(opened.echo.headers['x-consumer-username'], 'parley-user');
      await expectAlive(opened, 'through a ticket');
      opened.socket.terminate();

      const token = world.token();
      for (let count = 0; count < userLimit; count += 1) {
        const mine = expectOpen(await world.open(path, bearer(token)));
        await expectAlive(mine, 'x'.repeat(100_000));
        mine.socket.terminate();
      }
      expectRefused(await world.open(path, bearer(token)), 429);
    },
  },
  {
    number: 34,
    title: 'a socket is closed when nothing goes through it for read_timeout, and not before',
    async run(world) {
      const idle = expectOpen(await world.open('/realtime', bearer(world.token())));
      const busy = expectOpen(await world.open('/realtime', bearer(world.token())));
      const traffic = setInterval(() => busy.socket.ping(), 200);
      try {
        await once(idle.socket, 'close');
        await expectAlive(busy, 'still here');
      } finally {
        clearInterval(traffic);
        busy.socket.terminate();
      }
    },
  },
  {
    number: 35,
    title: 'a dead target is skipped, for sockets too; with none left it is 503',
    async run(world) {
      for (let count = 0; count < 4; count += 1) echoOf(await world.send('/partly'));
      for (let count = 0; count < 3; count += 1) {
        const opened = expectOpen(await world.open('/partly'));
        await expectAlive(opened, 'alive');
        opened.socket.terminate();
      }
      await eventually(async () => expectProblem(await world.send('/wholly'), 503));
      expectRefused(await world.open('/wholly'), 503);
    },
  },
  {
    number: 36,
    title: 'open sockets survive a reload',
    needsReload: true,
    async run(world) {
      const opened = expectOpen(await world.open('/open'));
      try {
        const [first] = world.state.keys;
        await world.reload!([first!.kid]);
        await expectAlive(opened, 'after one reload');
        await world.reload!(world.state.keys.map(({ kid }) => kid));
        await expectAlive(opened, 'after two');
      } finally {
        opened.socket.terminate();
      }
      expectProblem(await world.send('/private'), 401);
    },
  },
];

import { type Authenticated, envelopes } from '@parley/contracts';
import { freshDatabase, freshVhost, interruptible, type Interruptible, until } from '@parley/testing';
import { call, listen, password, query, register, startWorld, type World } from './world';

describe('when the database is away', () => {
  let world: World;
  let line: Interruptible;
  let alice: Authenticated;
  beforeAll(async () => {
    line = await interruptible(await freshDatabase());
    world = await startWorld({ DATABASE_URL: line.url });
    alice = await register(world.services[0]!, 'alice');
  });
  afterAll(async () => {
    await line.restore();
    await world.stop();
    await line.close();
  });

  test.each(['cut', 'freeze'] as const)(
    'every call says so in time, and all resumes by itself (%s)',
    async (how) => {
      await line[how]();
      const token = alice.tokens.accessToken;
      const calls: [string, string, object][] = [
        ['POST', '/v1/auth/login', { body: { login: 'alice', password } }],
        ['POST', '/v1/auth/refresh', { body: { refreshToken: alice.tokens.refreshToken } }],
        ['GET', '/v1/users/me', { token }],
        ['PATCH', '/v1/users/me', { token, body: { displayName: 'Another' } }],
        ['POST', '/v1/auth/logout', { token }],
      ];
      for (const [method, path, options] of calls) {
        const answer = await call(world.services[0]!, method, path, options);
        expect({ path, status: answer.status, code: answer.body.code }).toEqual({
          path,
          status: 503,
          code: 'unavailable',
        });
      }
      const readiness = async () => (await call(world.services[0]!, 'GET', '/health/ready')).status;
      await until('the service is out of service', async () => (await readiness()) === 503);
      // What needs no database goes on.
      expect((await call(world.services[0]!, 'GET', '/v1/auth/.well-known/jwks.json')).status).toBe(200);
      expect((await fetch(`${world.services[0]!.url}/metrics`)).status).toBe(200);
      await line.restore();
      await until('the service is ready', async () => (await readiness()) === 200);
      expect((await call(world.services[0]!, 'GET', '/v1/users/me', { token })).status).toBe(200);
    },
  );
});

async function outboxMetric(world: World, name: 'pending' | 'oldest_seconds'): Promise<number> {
  const metrics = await (await fetch(`${world.services[0]!.url}/metrics`)).text();
  return Number(new RegExp(`^auth_outbox_${name} (.+)$`, 'm').exec(metrics)?.[1]);
}

/** What the alert on a stuck outbox looks at. */
function oldestSeconds(world: World): Promise<number> {
  return outboxMetric(world, 'oldest_seconds');
}

describe('when the broker is away', () => {
  test.each(['cut', 'freeze'] as const)(
    'people go on, and every event arrives later, in order (%s)',
    async (how) => {
      const vhost = await freshVhost();
      const line = await interruptible(vhost);
      const world = await startWorld({ AMQP_URL: line.url }, 2);
      const heard = await listen(vhost);
      const { user, tokens } = await register(world.services[0]!, 'alice');
      await heard.until(1, (event) => event.kind === 'user.changed');
      await line[how]();
      for (let n = 1; n <= 12; n += 1) {
        const answer = await call(world.services[n % 2]!, 'PATCH', '/v1/users/me', {
          token: tokens.accessToken,
          body: { displayName: `Name ${n}` },
        });
        expect(answer.status).toBe(200);
      }
      expect(await outboxMetric(world, 'pending')).toBeGreaterThanOrEqual(12);
      expect(await oldestSeconds(world)).toBeGreaterThan(0);
      await query(world, "update auth.outbox set created_at = created_at - interval '10 minutes'");
      expect(await oldestSeconds(world)).toBeGreaterThan(600);
      await line.restore();
      const last = (event: { kind: string; user?: { displayName: string } }) =>
        event.user?.displayName === 'Name 12';
      await heard.until(1, last);
      // At least once: repeats are allowed, gaps and a wrong order of first arrivals are not.
      const names = heard.events.flatMap((e) =>
        e.kind === 'user.changed' && e.user.id === user.id ? [e] : [],
      );
      const sequences = names.map((event) => event.sequence);
      const firsts = [...new Set(sequences)];
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
      expect([...new Set(names.map((event) => event.user.displayName))]).toEqual([
        'alice of Parley',
        ...Array.from({ length: 12 }, (_, n) => `Name ${n + 1}`),
      ]);
      const isEmpty = async () => (await query(world, 'select 1 from auth.outbox')).length === 0;
      await until('the outbox is empty', isEmpty);
      expect(await oldestSeconds(world)).toBe(0);
      await heard.close();
      await world.stop();
      await line.close();
    },
  );
});

test('what a crash left in the outbox is published by whoever is there', async () => {
  const world = await startWorld();
  const heard = await listen(world.config.AMQP_URL);
  const event = { kind: 'user.changed', at: new Date().toISOString(), user: { displayName: 'Left behind' } };
  await query(world, "insert into auth.outbox (event, traceparent) values ($1, '00-0-0-00')", [event]);
  const [received] = await heard.until(1, () => true);
  expect(received).toEqual({ v: envelopes.accounts.written, ...event, sequence: 1 });
  await heard.close();
  await world.stop();
});

import assert from 'node:assert/strict';
import { echoOf, eventually, expectProblem } from '../client';
import { realm } from '../config';
import { makeKey, makeToken } from '../keys';
import { bearer, type Point, type World } from '../world';

const invalid = `Bearer realm="${realm}" error="invalid_token"`;
const now = () => Math.floor(Date.now() / 1000);

async function refused(
  world: World,
  headers: Record<string, string>,
  path = '/private',
): Promise<string | undefined> {
  const reply = await world.send(path, { headers });
  expectProblem(reply, 401);
  return reply.headers['www-authenticate'];
}

async function accepted(world: World, token: string): Promise<void> {
  echoOf(await world.send('/private', { headers: bearer(token) }));
}

export const authPoints: Point[] = [
  {
    number: 1,
    title:
      'a valid token is proxied with consumer and credential; what the client says of them is overwritten',
    async run(world) {
      const forged = {
        'x-consumer-username': 'root',
        'x-credential-identifier': 'root',
        'x-anonymous-consumer': 'true',
      };
      const { headers } = echoOf(
        await world.send('/private', { headers: { ...bearer(world.token()), ...forged } }),
      );
      assert.equal(headers['x-consumer-username'], 'parley-user');
      assert.equal(headers['x-credential-identifier'], world.state.keys[0]!.kid);
      assert.equal(headers['x-anonymous-consumer'], undefined);
      const open = echoOf(await world.send('/open', { headers: forged }));
      assert.equal(open.headers['x-consumer-username'], undefined);
    },
  },
  {
    number: 2,
    title: 'a missing, empty or Basic authorization is 401',
    async run(world) {
      const given: Record<string, string>[] = [
        {},
        ...['', 'Bearer ', 'Basic YTpi'].map((authorization) => ({ authorization })),
      ];
      for (const headers of given) assert.match((await refused(world, headers)) ?? '', /^Bearer/);
    },
  },
  {
    number: 3,
    title: '`bearer` is accepted, `BEARER` is treated as missing',
    async run(world) {
      const token = world.token();
      echoOf(await world.send('/private', { headers: { authorization: `bearer ${token}` } }));
      assert.equal(await refused(world, { authorization: `BEARER ${token}` }), `Bearer realm="${realm}"`);
    },
  },
  {
    number: 4,
    title: 'a second kid is accepted; a removed one is refused after a reload',
    needsReload: true,
    async run(world) {
      const [first, second] = world.state.keys;
      const token = makeToken(second!, 'someone');
      await accepted(world, token);
      try {
        await world.reload!([first!.kid]);
        await eventually(() => refused(world, bearer(token)).then(() => undefined));
        await accepted(world, world.token());
      } finally {
        await world.reload!(world.state.keys.map(({ kid }) => kid));
      }
      await eventually(() => accepted(world, token));
    },
  },
  {
    number: 5,
    title: 'a kid in the claims beats the one in the header',
    async run(world) {
      const [, second] = world.state.keys;
      await accepted(
        world,
        makeToken(second!, 'someone', { header: { kid: 'nobody' }, claims: { kid: second!.kid } }),
      );
      await refused(world, bearer(makeToken(second!, 'someone', { claims: { kid: 'nobody' } })));
    },
  },
  {
    number: 6,
    title: 'a bad signature is 401 invalid_token',
    async run(world) {
      assert.equal(
        await refused(world, bearer(world.token('a', { signature: Buffer.alloc(64, 1) }))),
        invalid,
      );
      const { kid } = world.state.keys[0]!;
      assert.equal(await refused(world, bearer(makeToken({ ...makeKey(kid) }, 'a'))), invalid);
    },
  },
  {
    number: 7,
    title: 'an unknown, absent or empty kid is 401',
    async run(world) {
      for (const kid of ['nobody', undefined, '']) {
        await refused(world, bearer(world.token('a', { header: { kid } })));
        await refused(world, bearer(world.token('a', { header: { kid } })), '/raw');
      }
    },
  },
  {
    number: 8,
    title: 'another algorithm, none, garbage and two parts are 401',
    async run(world) {
      const token = world.token();
      for (const alg of ['RS256', 'HS256', 'none', 'es256'])
        for (const path of ['/private', '/raw'])
          await refused(world, bearer(world.token('a', { header: { alg } })), path);
      const broken = [
        'garbage',
        token.split('.').slice(0, 2).join('.'),
        `${token}.x`,
        '..',
        `x${token}`,
        'a.b.c',
      ];
      for (const text of broken)
        for (const path of ['/private', '/raw']) await refused(world, bearer(text), path);
    },
  },
  {
    number: 9,
    title: 'an expired token is 401 invalid_token, with code token_expired',
    async run(world) {
      const expired = world.token('a', { claims: { exp: now() - 1 } });
      const reply = await world.send('/private', { headers: bearer(expired) });
      expectProblem(reply, 401, 'token_expired');
      assert.equal(reply.headers['www-authenticate'], invalid);
      await refused(world, bearer(world.token('a', { claims: { exp: undefined } })));
      await refused(world, bearer(world.token('a', { claims: { exp: String(now() + 60) } })));
    },
  },
  {
    number: 10,
    title: 'nbf in the future or absent is 401',
    async run(world) {
      await refused(world, bearer(world.token('a', { claims: { nbf: now() + 60 } })));
      await refused(world, bearer(world.token('a', { claims: { nbf: undefined } })));
    },
  },
  {
    number: 11,
    title: 'a token that lives too long is 401',
    async run(world) {
      await refused(world, bearer(world.token('a', { claims: { exp: now() + 3600 } })));
    },
  },
  {
    number: 12,
    title: 'two different tokens are 401, the same twice is accepted',
    async run(world) {
      const [one, two] = [world.token('a'), world.token('b')];
      await refused(world, bearer(one), `/raw?ticket=${two}`);
      await refused(world, {}, `/raw?ticket=${one}&ticket=${two}`);
      echoOf(await world.send(`/raw?ticket=${one}`, { headers: bearer(one) }));
      echoOf(await world.send(`/raw?ticket=${one}&ticket=${one}`));
    },
  },
  {
    number: 13,
    title: 'a token in the query counts only where that is configured',
    async run(world) {
      await refused(world, {}, `/private?ticket=${world.ticket()}`);
      await refused(world, {}, `/private?jwt=${world.token()}`);
      await refused(world, {}, `/raw?jwt=${world.token()}`);
      echoOf(await world.send(`/raw?ticket=${world.token()}`));
    },
  },
  {
    number: 14,
    title: 'a signature that is too short is 401',
    async run(world) {
      for (const length of [0, 1, 63])
        await refused(world, bearer(world.token('a', { signature: Buffer.alloc(length, 1) })));
      await refused(world, bearer(world.token('a', { header: { kid: 7 } })));
    },
  },
  {
    number: 15,
    title: 'OPTIONS is proxied without a token where run_on_preflight is off',
    async run(world) {
      assert.equal(echoOf(await world.send('/private', { method: 'OPTIONS' })).method, 'OPTIONS');
    },
  },
];

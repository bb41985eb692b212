import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { limits, ParleyError } from '@parley/contracts';
import { until } from '@parley/testing';
import { aUser, World } from '../testing/world';

describe('the handshake', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
  });
  afterAll(() => world.stop());

  async function isRefused(options: Parameters<World['open']>[0], code: string): Promise<void> {
    const client = world.open(options);
    expect(await client.take('session:closing')).toEqual({ code, reconnect: false, retryAfterMs: 0 });
    // A stock client does not come back after this.
    expect(await client.take('disconnect')).toBe('io server disconnect');
    expect(client.names).toEqual([]);
  }

  it('refuses tokens that are absent, expired, forged, too early or meant for something else', async () => {
    const user = aUser();
    const good = await world.token(user);
    const [header, , signature] = good.split('.');
    const claims = Buffer.from(JSON.stringify({ sub: aUser(), sid: aUser() })).toString('base64url');
    await isRefused({}, 'unauthenticated');
    await isRefused({ token: '' }, 'unauthenticated');
    await isRefused({ token: 'x'.repeat(5_000) }, 'unauthenticated');
    await isRefused({ token: `${header}.${claims}.${signature}` }, 'unauthenticated');
    await isRefused({ token: await world.token(user, { expiresInS: -5 }) }, 'unauthenticated');
    await isRefused({ token: await world.token(user, { notBeforeS: 60 }) }, 'unauthenticated');
    await isRefused({ token: await world.token(user, { audience: 'another' }) }, 'unauthenticated');
    await isRefused({ token: await world.token(user, { issuer: 'another' }) }, 'unauthenticated');
    await isRefused({ token: await world.ticket(user) }, 'unauthenticated');
    await isRefused({ ticket: good }, 'unauthenticated');
    await isRefused({ ticket: 'nonsense' }, 'unauthenticated');
  });

  it('checks no token of a client that has given up meanwhile, and outlives its reset', async () => {
    const token = await world.token(aUser());
    const { hostname, port } = new URL(world.node(0).url);
    const lines = [
      'GET /realtime?EIO=4&transport=websocket HTTP/1.1',
      `Host: ${hostname}`,
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
      `Authorization: Bearer ${token}`,
    ];
    // The request and its end come together, as they do when a connection was taken late.
    const request = `${lines.join('\r\n')}\r\n\r\n`;
    const isCounted = (gone: number) => async () =>
      (await world.metrics(0)).includes(`{outcome="gone"} ${gone}`);
    connect(Number(port), hostname).end(request);
    await until('it is passed over', isCounted(1));
    const rude = connect(Number(port), hostname);
    rude.write(request, () => rude.resetAndDestroy());
    await until('it is passed over, too', isCounted(2));
  });

  it('lets a ticket in once, on whichever node', async () => {
    const ticket = await world.ticket(aUser());
    const first = world.open({ ticket }, 0);
    await first.take('ready');
    await isRefused({ ticket }, 'unauthenticated');
    const elsewhere = world.open({ ticket }, 1);
    expect(await elsewhere.take('session:closing')).toMatchObject({ code: 'unauthenticated' });
  });

  it('admits pages of known origins only, and programs without one', async () => {
    const token = await world.token(aUser());
    await world.open({ token, origin: 'http://app.test' }).take('ready');
    await world.open({ token }).take('ready');
    expect(await world.open({ token, origin: 'http://evil.test' }).take('connect_error')).toBe(
      'websocket error',
    );
  });

  it('tells clients of another protocol to stay away', async () => {
    const token = await world.token(aUser());
    await world.open({ token, query: { protocol: '1' } }).take('ready');
    await isRefused({ token, query: { protocol: '2' } }, 'protocol_unsupported');
  });

  it('bounds the sockets of a user', async () => {
    const token = await world.token(aUser());
    const clients = Array.from({ length: limits.socketsPerUserMax }, () => world.open({ token }));
    for (const client of clients) await client.take('ready');
    await isRefused({ token }, 'too_many_connections');
    await clients[0]?.close();
    await world.open({ token }).take('ready');
  });

  it('closes a socket when its token expires, unless a new one came', async () => {
    const [user, sid] = [aUser(), randomUUID()];
    const token = await world.token(user, { sid, expiresInS: 3 });
    const [lasting, ending] = [world.open({ token }), world.open({ token })];
    await lasting.take('ready');
    await ending.take('ready');

    const foreign = await world.token(user, { sid: randomUUID() });
    expect(await lasting.ask('auth:refresh', { accessToken: foreign })).toMatchObject({
      ok: false,
      error: { code: 'forbidden' },
    });
    expect(await lasting.ask('auth:refresh', { accessToken: 'nonsense' })).toMatchObject({
      ok: false,
      error: { code: 'unauthenticated' },
    });
    const fresh = await world.token(user, { sid, expiresInS: 600 });
    const answer = await lasting.ask('auth:refresh', { accessToken: fresh });
    expect(answer.ok).toBe(true);
    expect(Date.parse(answer.expiresAt as string)).toBeGreaterThan(Date.now() + 500_000);

    expect(await ending.take('session:closing')).toMatchObject({ code: 'unauthenticated' });
    expect(await ending.take('disconnect')).toBe('io server disconnect');
    expect(await lasting.ask('conversation:read', { conversationId: aUser(), number: 1 })).toMatchObject({
      ok: true,
    });
    expect(lasting.names).toEqual([]);
  });

  it('ends the sockets of a revoked session on every node, and no others', async () => {
    const [user, sid] = [aUser(), randomUUID()];
    const revoked = [await world.connect(user, 0, sid), await world.connect(user, 1, sid)];
    const other = await world.connect(user, 0);
    await world.auth.broker.publishConfirmed('parley.accounts', 'session.revoked', {
      kind: 'session.revoked',
      sequence: 1,
      at: new Date().toISOString(),
      userId: user,
      sessionId: sid,
    });
    for (const client of revoked) {
      expect(await client.take('session:revoked')).toEqual({ sessionId: sid });
      expect(await client.take('session:closing')).toMatchObject({
        code: 'session_revoked',
        reconnect: false,
      });
      expect(await client.take('disconnect')).toBe('io server disconnect');
    }
    // Its token would still be good for minutes.
    await isRefused({ token: await world.token(user, { sid }) }, 'session_revoked');
    expect(await other.ask('conversation:read', { conversationId: aUser(), number: 1 })).toMatchObject({
      ok: true,
    });
  });

  it('opens no socket for a session that had ended before the node came', async () => {
    const [user, ended, live] = [aUser(), randomUUID(), randomUUID()];
    world.ended.add(ended);
    await isRefused({ token: await world.token(user, { sid: ended }) }, 'session_revoked');
    await isRefused({ ticket: await world.ticket(user, { sid: ended }) }, 'session_revoked');
    // Beside one that has not: each is judged for itself.
    const together = [ended, live].map(async (sid) =>
      world.open({ token: await world.token(user, { sid }) }),
    );
    const [refused, joined] = await Promise.all(together);
    expect(await joined!.take('ready')).toMatchObject({ sessionId: live });
    expect(await refused!.take('session:closing')).toMatchObject({ code: 'session_revoked' });
  });

  it('believes tokens while auth does not say which sessions have ended', async () => {
    const [user, ended] = [aUser(), randomUUID()];
    world.ended.add(ended);
    world.auth.answer('auth.sessions', () => {
      throw new ParleyError('invalid_request', 'Nothing here handles auth.sessions.');
    });
    await world.startNode();
    const client = world.open({ token: await world.token(user, { sid: ended }) }, 2);
    expect(await client.take('ready')).toMatchObject({ sessionId: ended });
  });

  it('answers plain HTTP at its path without harm', async () => {
    const { url } = world.node(0);
    expect((await fetch(`${url}/realtime`)).status).toBe(400);
    expect((await fetch(`${url}/realtime/?EIO=4&transport=polling`)).status).toBe(400);
    expect((await fetch(`${url}/realtime/?EIO=4&transport=websocket`, { method: 'POST' })).status).toBe(400);
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
  });
});

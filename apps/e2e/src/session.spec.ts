import { MemoryStorage, ParleyError } from '@parley/client';
import { anotherDevice, closeClients, connected, gatewayUrl, newClient, person } from './system/world';

afterAll(closeClients);

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => new Error('it was answered'),
    (reason: unknown) => reason,
  );
  return error instanceof ParleyError ? error.code : String(error);
}

async function refresh(refreshToken: string): Promise<{ status: number; refreshToken?: string }> {
  const response = await fetch(`${gatewayUrl()}/v1/auth/refresh`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refreshToken }),
  });
  const body = (await response.json()) as { tokens?: { refreshToken: string } };
  return { status: response.status, refreshToken: body.tokens?.refreshToken };
}

async function refreshTokenIn(storage: MemoryStorage): Promise<string> {
  return (JSON.parse((await storage.get('session'))!) as { refreshToken: string }).refreshToken;
}

describe('signing in', () => {
  it('knows names and passwords', async () => {
    const alice = await person('alice');
    const stranger = newClient();
    const login = (body: { login: string; password: string }) => codeOf(stranger.login(body));
    const { username } = alice.user;
    expect(await login({ login: username, password: 'not the password' })).toBe('invalid_credentials');
    expect(await login({ login: `${username}-else`, password: alice.password })).toBe('invalid_credentials');
    expect((await stranger.login({ login: username, password: alice.password })).id).toBe(alice.user.id);
    expect((await stranger.api.getMe()).username).toBe(username);
    expect(
      await codeOf(
        newClient().register({
          email: `${username}@elsewhere.example`,
          username,
          password: alice.password,
          displayName: 'A',
        }),
      ),
    ).toBe('conflict');
  });

  it('lists devices and signs one out, its socket too', async () => {
    const alice = await connected('alice');
    const phone = await anotherDevice(alice, { device: 'phone' });
    await phone.connect();
    const { items } = await alice.client.api.listSessions();
    expect(items.map(({ device }) => device)).toContain('phone');
    const { id } = items.find(({ device }) => device === 'phone')!;

    const ended = phone.realtime.once('status', ({ state }) => state === 'stopped');
    const signedOut = phone.session.once('signedOut');
    await alice.client.api.revokeSession({ params: { sessionId: id } });
    await Promise.all([ended, signedOut]);
    expect(phone.user).toBeUndefined();
    expect(await codeOf(phone.api.getMe())).toBe('unauthenticated');
    expect(alice.client.realtime.ready).toBe(true);
  });

  it('logs out everywhere at once', async () => {
    const storage = new MemoryStorage();
    const alice = await connected('alice', { storage });
    const refreshToken = await refreshTokenIn(storage);
    await alice.client.logout();
    expect(alice.client.realtime.status).toMatchObject({ state: 'stopped' });
    expect((await refresh(refreshToken)).status).toBe(401);
    expect(await storage.keys('')).toEqual([]);
  });
});

describe('refreshing', () => {
  it('survives a lost answer, and ends the session when a used token comes again', async () => {
    const storage = new MemoryStorage();
    await person('alice', { storage });
    const first = await refreshTokenIn(storage);
    const lost = await refresh(first);
    const again = await refresh(first);
    expect(again).toEqual({ status: 200, refreshToken: lost.refreshToken });
    expect((await refresh(again.refreshToken!)).status).toBe(200);
    expect((await refresh(first)).status).toBe(401);
    expect((await refresh(again.refreshToken!)).status).toBe(401);
  });

  it('goes on with a new token on the open socket', async () => {
    const alice = await connected('alice');
    const before = await alice.client.session.accessToken();
    await alice.client.session.renew();
    const after = await alice.client.session.accessToken();
    expect(after).not.toBe(before);
    const { expiresAt } = await alice.client.realtime.request('auth:refresh', { accessToken: after });
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now());
    expect(alice.client.realtime.status).toEqual({ state: 'ready' });
  });

  it('is done once for many callers, and its successor is kept before it is used', async () => {
    const storage = new MemoryStorage();
    const alice = await person('alice', { storage });
    const first = await refreshTokenIn(storage);
    await Promise.all(Array.from({ length: 5 }, () => alice.client.session.renew()));
    const kept = await refreshTokenIn(storage);
    expect(kept).not.toBe(first);

    const restarted = newClient({ storage });
    expect(await restarted.restore()).toBe(true);
    expect((await restarted.api.getMe()).id).toBe(alice.user.id);
  });
});

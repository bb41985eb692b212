import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import {
  certificatePaths,
  findHaproxy,
  type LoadBalancer,
  makeCertificates,
  startLoadBalancer,
} from '@parley/tool-local';
import { io } from 'socket.io-client';
import { SteadyGroup } from './system/group';
import { ask, eventually, withinOneHour } from './system/plain';
import { startSystem, type System } from './system/system';
import { closeClients, connected, person } from './system/world';

const ADDRESS_HOUR = 40;
const ADDRESS_CONNECTIONS = 100;
const WORKSPACE = resolve(__dirname, '../../..');
const KEYS = join(WORKSPACE, 'docker/keys.mjs');

const withHaproxy = findHaproxy() ? describe : describe.skip;
if (!findHaproxy()) console.warn('SKIPPED: HAProxy is not installed (sudo apt-get install -y haproxy).');

withHaproxy('two gateways behind the load balancer', () => {
  let system: System;
  let balancer: LoadBalancer;
  let group: SteadyGroup;
  beforeAll(async () => {
    system = await startSystem('load-balancer', {
      gateways: 2,
      loadBalancer: { ADDRESS_CONNECTIONS_MAX: String(ADDRESS_CONNECTIONS) },
      scale: { realtime: 2 },
      rates: { RL_ADDRESS_MINUTE: String(ADDRESS_HOUR), RL_ADDRESS_HOUR: String(ADDRESS_HOUR) },
      envOf: {
        realtime: { SOCKET_EVENTS_PER_SECOND: '100000' },
        // Short, so that those of an old key end within the test; long enough to be renewed in time on a busy machine.
        auth: { ACCESS_TOKEN_SECONDS: '20' },
      },
    });
    balancer = system.stack.loadBalancer!;
    group = await SteadyGroup.at(system.url);
  });
  afterAll(async () => {
    await closeClients();
    await system.stop();
  });

  /** From HAProxy's own table: its word for each gateway, and how many requests and sockets are open there. */
  async function gateways(): Promise<{ status: string; open: number }[]> {
    const [head = '', ...rows] = (await balancer.control('show stat gateways 4 -1')).split('\n');
    const names = head.replace('# ', '').split(',');
    return rows.map((row) => {
      const cells = row.split(',');
      return { status: cells[names.indexOf('status')]!, open: Number(cells[names.indexOf('scur')]) };
    });
  }

  /** What HAProxy calls the requests and sockets that are open there. */
  async function openAt(server: string): Promise<string[]> {
    const lines = (await balancer.control('show sess')).split('\n');
    return lines.filter((line) => line.includes(` srv=${server} `)).map((line) => line.split(':')[0]!);
  }

  const allUp = () =>
    eventually(async () => expect((await gateways()).map(({ status }) => status)).toEqual(['UP', 'UP']));

  it('spreads the sockets, and logs neither tickets nor tokens', async () => {
    await group.expectAllToHave(await group.writeDuring(Promise.resolve()));
    for (const { open } of await gateways()) expect(open).toBeGreaterThan(0);

    const { client } = group.writer;
    const { ticket } = await client.api.createRealtimeTicket();
    const token = await client.session.accessToken();
    const socket = io(system.url, { path: '/realtime', transports: ['websocket'], query: { ticket } });
    await new Promise((ready) => socket.once('ready', ready));
    socket.disconnect();
    const log = () => readFileSync(balancer.logFile, 'utf8').trim().split('\n');
    const entry = await eventually(async () => {
      const entries = log().map((line) => JSON.parse(line) as Record<string, unknown>);
      const tunnels = entries.filter(({ status }) => status === 101);
      expect(tunnels).not.toEqual([]);
      return tunnels.at(-1)!;
    });
    expect(entry).toMatchObject({
      client: '127.0.0.1',
      method: 'GET',
      path: '/realtime/',
      upgrade: 'websocket',
    });
    expect(entry['gateway']).toMatch(/^gateway-[12]$/);
    expect(entry['requestId']).toMatch(/^[0-9a-f-]{36}$/);
    const text = log().join('\n');
    for (const secret of ['ticket=', ticket, token]) expect(text).not.toContain(secret);
  });

  it('shows its metrics apart, and nothing of itself to the public', async () => {
    expect((await ask(balancer.metricsUrl)).text).toContain('haproxy_server_check_status{proxy="gateways"');
    expect((await ask(new URL('/', balancer.metricsUrl).href)).status).toBe(404);
    for (const path of ['/metrics', '/stats', '/haproxy?stats', '/health/ready'])
      expect((await ask(`${system.url}${path}`)).status).toBe(404);
  });

  it.each([
    ['nothing of it by itself', {}, undefined],
    ['so for HSTS_SECONDS', { HSTS_SECONDS: '600' }, 'max-age=600'],
  ])('tells browsers that came by HTTPS to keep to it: %s', async (_, env, told) => {
    const dir = mkdtempSync(join(tmpdir(), 'parley-tls-'));
    await makeCertificates(WORKSPACE, dir, ['--names', 'gateway']);
    const ca = readFileSync(certificatePaths(dir, 'gateway').ca, 'utf8');
    const setup = { workspace: WORKSPACE, dir };
    const encrypted = await startLoadBalancer(setup, system.stack.gateways, { certificates: dir, env });
    try {
      const reply = await eventually(async () => {
        const answer = await ask(`${encrypted.url}/v1/limits`, { ca });
        expect(answer.status).toBe(200);
        return answer;
      });
      expect(reply.headers['strict-transport-security']).toBe(told);
      const plain = await ask(`${encrypted.plainUrl}/v1/limits`);
      expect(plain.status).toBe(308);
      expect(plain.headers['strict-transport-security']).toBeUndefined();
    } finally {
      await encrypted.stop();
      rmSync(dir, { recursive: true });
    }
  });

  it('lets each address have its own limit, whatever the client says of itself', async () => {
    const verify = (from: string, headers = {}) =>
      ask(`${system.url}/v1/auth/email/verify`, { from, method: 'POST', headers });
    await withinOneHour(async () => {
      const statuses: number[] = [];
      do statuses.push((await verify('127.0.0.2')).status);
      while (statuses.at(-1) !== 429 && statuses.length <= ADDRESS_HOUR);
      expect(statuses.at(-1)).toBe(429);
      expect((await verify('127.0.0.3')).headers['x-ratelimit-remaining-hour']).toBe(
        String(ADDRESS_HOUR - 1),
      );
      const lies = {
        'x-forwarded-for': '203.0.113.7',
        'x-real-ip': '203.0.113.7',
        forwarded: 'for=203.0.113.7',
      };
      expect((await verify('127.0.0.2', lies)).status).toBe(429);
      expect((await verify('127.0.0.3', lies)).headers['x-ratelimit-remaining-hour']).toBe(
        String(ADDRESS_HOUR - 2),
      );
    });
  });

  it('lets one address hold only so many connections', async () => {
    const target = { port: balancer.port, host: '127.0.0.1', localAddress: '127.0.0.4' };
    const sockets = Array.from({ length: ADDRESS_CONNECTIONS + 1 }, () => connect(target).resume());
    const closed = sockets.map(
      (socket) => new Promise((resolved) => socket.on('error', () => undefined).once('close', resolved)),
    );
    await Promise.race(closed);
    expect(sockets.filter(({ destroyed }) => destroyed)).toHaveLength(1);
    expect((await ask(`${system.url}/v1/limits`, { from: '127.0.0.5' })).status).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it('rotates keys while people talk: no socket is dropped, no token refused before its time', async () => {
    const rotate = (step: string) =>
      promisify(execFile)(process.execPath, [KEYS, step, dirname(system.stack.keys.publicFile)]);
    const drops: string[] = [];
    const offs = group.everybody.map(({ client, user }) =>
      client.realtime.on('status', (status) => drops.push(`${user.username}: ${JSON.stringify(status)}`)),
    );
    const { user, password } = await person('newcomer', { url: system.url });
    type Tokens = { accessToken: string; refreshToken: string };
    const tokensFrom = async (path: string, body: object) =>
      (JSON.parse((await ask(`${system.url}/v1/auth/${path}`, { body })).text) as { tokens: Tokens }).tokens;
    let held = await tokensFrom('login', { login: user.username, password });
    const renewed = async () => {
      held = await tokensFrom('refresh', { refreshToken: held.refreshToken });
      return held.accessToken;
    };
    const read = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      const { status, text } = await ask(`${system.url}/v1/users/me`, { headers });
      return status === 200 ? 'ok' : (JSON.parse(text) as { code: string }).code;
    };
    const rotated = async () => {
      const before = held.accessToken;
      await rotate('add');
      await system.stack.renderGateway();
      await eventually(async () => {
        const { text } = await ask(`${system.url}/v1/auth/.well-known/jwks.json`);
        expect((JSON.parse(text) as { keys: unknown[] }).keys).toHaveLength(2);
      });
      await rotate('switch');
      await eventually(async () => expect(kidOf(await renewed())).not.toBe(kidOf(before)));
      // The requests go to one node after the other.
      for (let node = 0; node < 4; node += 1) expect(await read(await renewed())).toBe('ok');
      const codes = new Set<string>();
      await eventually(async () => expect([...codes.add(await read(before))]).toContain('token_expired'));
      expect([...codes].filter((code) => code !== 'ok')).toEqual(['token_expired']);
      await rotate('drop');
      await system.stack.renderGateway();
      await eventually(async () => expect(await read(before)).toBe('unauthenticated'));
      expect(await read(await renewed())).toBe('ok');
    };
    await group.expectAllToHave(await group.writeDuring(rotated()));
    expect(drops).toEqual([]);
    for (const off of offs) off();
  });

  it('takes a gateway out without closing its sockets, and puts it back', async () => {
    const drops: string[] = [];
    const offs = group.everybody.map(({ client }) =>
      client.realtime.on('status', ({ state }) => drops.push(state)),
    );
    const before = await openAt('gateway-1');
    await balancer.control('set server gateways/gateway-1 state drain');
    const newcomers = async () => {
      for (const name of ['frank', 'grace']) await connected(name, { url: system.url });
    };
    await group.expectAllToHave(await group.writeDuring(newcomers()));
    expect((await gateways()).map(({ status }) => status)).toEqual(['DRAIN', 'UP']);
    // A request of before may have ended; the sockets have not, and nobody came.
    const after = await openAt('gateway-1');
    expect(after.filter((id) => !before.includes(id))).toEqual([]);
    expect(after).not.toHaveLength(0);
    expect(drops).toEqual([]);
    for (const off of offs) off();
    await balancer.control('set server gateways/gateway-1 state ready');
    await allUp();
  });

  it.each(['gateway', 'realtime'] as const)('loses nothing when a %s is killed', async (kind) => {
    const { stack } = system;
    const victim = kind === 'gateway' ? stack.gateways[0]! : stack.apps.of('realtime')[0]!;
    const dropped = Promise.race(group.everybody.map(({ client }) => client.realtime.once('status')));
    const killed = async () => {
      await victim.kill();
      await dropped;
      await eventually(async () =>
        expect(group.everybody.every(({ client }) => client.realtime.ready)).toBe(true),
      );
      await victim.start();
      await allUp();
    };
    await group.expectAllToHave(await group.writeDuring(killed()));
  });

  it('says in the usual form when no gateway is there', async () => {
    const both = (state: string) =>
      Promise.all(
        [1, 2].map((node) => balancer.control(`set server gateways/gateway-${node} state ${state}`)),
      );
    await both('maint');
    const { status, headers, text } = await ask(`${system.url}/v1/limits`, {
      headers: { 'x-request-id': 'mine' },
    });
    expect(status).toBe(503);
    expect(headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '1' });
    expect(JSON.parse(text)).toMatchObject({ status: 503, code: 'unavailable', requestId: 'mine' });
    expect((await ask(new URL('/health/ready', balancer.metricsUrl).href)).status).toBe(503);
    await both('ready');
    await allUp();
  });
});

withHaproxy('two gateways that are open to HTTPS alone, behind the load balancer that ends it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-tls-'));
  let system: System;
  let ca: string;
  beforeAll(async () => {
    system = await startSystem('load-balancer-tls', { gateways: 2, certificates: folder });
    ca = readFileSync(certificatePaths(folder, 'gateway').ca, 'utf8');
  });
  afterAll(async () => {
    await system.stop();
    rmSync(folder, { recursive: true });
  });

  it('takes requests and sockets', async () => {
    const { url } = system.stack.gateway;
    expect(url).toMatch(/^https:/);
    expect((await ask(`${url}/v1/limits`, { ca })).status).toBe(200);
    const account = {
      email: 'iris@example.com',
      username: 'iris',
      displayName: 'Iris',
      password: 'correct horse battery',
    };
    const { text } = await ask(`${url}/v1/auth/register`, { ca, body: account });
    const { tokens } = JSON.parse(text) as { tokens: { accessToken: string } };
    const extraHeaders = { authorization: `Bearer ${tokens.accessToken}` };
    const socket = io(url, { path: '/realtime', transports: ['websocket'], extraHeaders, ca });
    await new Promise((ready) => socket.once('ready', ready));
    socket.disconnect();
  });

  it('sends plain requests to HTTPS', async () => {
    const { plainUrl } = system.stack.loadBalancer!;
    const { status, headers } = await ask(`${plainUrl}/v1/limits`);
    expect(status).toBe(308);
    expect(headers.location).toMatch(/^https:.*\/v1\/limits$/);
    // Whatever the client says of itself.
    expect((await ask(`${plainUrl}/v1/limits`, { headers: { 'x-forwarded-proto': 'https' } })).status).toBe(
      308,
    );
  });

  it('is believed by the gateways, and nobody else is', async () => {
    for (const { url } of system.stack.gateways) {
      const { headers, status } = await ask(`${url}/v1/limits`, {
        from: '127.0.0.2',
        headers: { 'x-forwarded-proto': 'https' },
      });
      expect(status).toBe(308);
      expect(headers.location).toMatch(/^https:/);
    }
  });
});

function kidOf(token: string): string {
  const [head = ''] = token.split('.');
  return (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }).kid;
}

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { newTraceparent } from '@parley/client';
import { OtlpReceiver, type ReceivedSpan } from '@parley/testing';
import type { AppName } from '@parley/tool-local';
import { io } from 'socket.io-client';
import { ask } from './system/plain';
import { startSystem, type System } from './system/system';
import { answered, bodies, closeClients, connected, until, type Person } from './system/world';

const SHARE = '0';
const FAILURES_PER_ADDRESS = 3;

describe('who operates the system', () => {
  let collector: OtlpReceiver;
  let system: System;
  let conversationId: string;
  /** Set, it goes with all that alice asks. */
  let traceparent: string | undefined;
  let alice: Person;
  /** Two devices of bob at least are on the node that alice is not on, or on both. */
  let bobs: Person[];

  beforeAll(async () => {
    collector = await OtlpReceiver.start();
    system = await startSystem('tracing', {
      scale: { realtime: 2, messaging: 2 },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: SHARE },
      envOf: { auth: { LOGIN_FAILURES_PER_ADDRESS_MAX: String(FAILURES_PER_ADDRESS) } },
    });
    const { url } = system;
    alice = await connected('alice', { url, traceparent: () => traceparent });
    bobs = await Promise.all(
      ['bob', 'carol', 'dave', 'erin', 'frank', 'grace'].map((name) => connected(name, { url })),
    );
    const memberIds = bobs.map(({ user }) => user.id);
    conversationId = (await alice.client.create({ type: 'group', title: 'Traced', memberIds })).id;
    await Promise.all(
      bobs.map(({ client }) =>
        until(client, () => client.store.conversation(conversationId)?.current === true),
      ),
    );
  });
  afterAll(async () => {
    await closeClients();
    await system.stop();
    await collector.stop();
  });

  async function deliver(body: string): Promise<void> {
    await alice.client.send({ conversationId, body }).stored;
    await Promise.all(
      bobs.map(({ client }) => until(client, () => bodies(client, conversationId).includes(body))),
    );
  }

  async function trace(send: () => Promise<unknown>): Promise<{ traceId: string; spanId: string }> {
    traceparent = newTraceparent();
    const [, traceId = '', spanId = ''] = traceparent.split('-');
    await send();
    traceparent = undefined;
    return { traceId, spanId };
  }

  const named = (spans: readonly ReceivedSpan[], service: string, name: string) =>
    spans.filter((span) => span.service === service && span.name === name);

  /** Resolves with the spans of a trace once they are these, by service and name: each process sends its own when it likes. */
  async function wholeTrace(traceId: string, expected: string[]): Promise<ReceivedSpan[]> {
    const wanted = [...expected].sort().join();
    let found: string[] = [];
    const isWhole = collector.until((all) => {
      const own = all.filter((span) => span.traceId === traceId);
      found = own.map(({ service, name }) => `${service} ${name}`).sort();
      return found.join() === wanted ? own : undefined;
    });
    const spans = await Promise.race([isWhole, delay(60_000, undefined, { ref: false })]);
    // What came instead says where to look; a timeout alone would not.
    if (spans === undefined) expect(found).toEqual([...expected].sort());
    return spans!;
  }

  test('slows who guesses passwords from one address, whatever else it says that it has', async () => {
    const failed = (n: number, from = '127.0.0.2') =>
      ask(`${system.url}/v1/auth/login`, {
        from,
        headers: { 'x-forwarded-for': `203.0.113.${n}`, 'x-real-ip': `203.0.113.${n}` },
        body: { login: `nobody-${n}`, password: 'wrong' },
      });
    for (let n = 0; n < FAILURES_PER_ADDRESS; n += 1) expect((await failed(n)).status).toBe(401);
    expect((await failed(FAILURES_PER_ADDRESS)).status).toBe(429);
    expect((await failed(0, '127.0.0.3')).status).toBe(401);
  });

  test('finds no trace of a message that nobody samples', async () => {
    await deliver('not traced');
    // One that is traced comes behind it on the same path: that alone, and the batches that it is in, are exported.
    const { traceId } = await trace(() => deliver('traced'));
    await collector.until((all) => {
      const batches = all.filter(({ links }) => links.some((link) => link.traceId === traceId));
      const family = new Set([traceId, ...batches.map((span) => span.traceId)]);
      const isThere = named(all, 'history', 'history apply').length === 1;
      return isThere && all.every((span) => family.has(span.traceId)) ? true : undefined;
    });
  });

  test('sees one message in one trace, from its sending to its last delivery, over both realtime nodes', async () => {
    const { traceId, spanId } = await trace(() => deliver('traced again'));
    // Sockets are spread over the nodes; six of them are on both, but for one chance in 64, and alice's too.
    const spans = await wholeTrace(traceId, [
      'realtime message:send',
      'messaging message.send',
      'messaging parley.events publish',
      'history history apply',
      'notification notification apply',
      'realtime deliver message.created',
      'realtime deliver message.created',
    ]);
    const [sent] = named(spans, 'realtime', 'message:send');
    const [command] = named(spans, 'messaging', 'message.send');
    const [published] = named(spans, 'messaging', 'parley.events publish');
    const [applied] = named(spans, 'history', 'history apply');
    const [told] = named(spans, 'notification', 'notification apply');
    const delivered = named(spans, 'realtime', 'deliver message.created');
    expect(sent?.parentSpanId).toBe(spanId);
    expect(command?.parentSpanId).toBe(sent?.spanId);
    expect(published?.parentSpanId).toBe(command?.spanId);
    for (const span of [applied, told, ...delivered]) expect(span?.parentSpanId).toBe(published?.spanId);
    expect(new Set(delivered.map(({ resource }) => resource['service.instance.id'])).size).toBe(2);
    const sockets = delivered.map(({ attributes }) => Number(attributes['parley.sockets']));
    expect(sockets.reduce((sum, count) => sum + count)).toBe(bobs.length + 1);
    expect(command?.events).toEqual(['append begins', 'stored']);

    // The append served others too: a trace of its own, linked in both directions.
    const commit = await collector.until((all) =>
      all.find(
        ({ name, links }) => name === 'log append' && links.some((link) => link.spanId === command?.spanId),
      ),
    );
    expect(commit.parentSpanId).toBeUndefined();
    expect(command?.links).toMatchObject([{ traceId: commit.traceId, spanId: commit.spanId }]);
    expect(applied?.links).toHaveLength(1);
  });

  test('sees one that is sent over HTTP go the same way', async () => {
    const { traceId, spanId } = await trace(() =>
      alice.client.api.sendMessage({
        params: { conversationId },
        body: { clientMessageId: randomUUID(), body: 'by HTTP' },
      }),
    );
    const spans = await wholeTrace(traceId, [
      'messaging POST /v1/conversations/:conversationId/messages',
      'messaging message.send',
      'messaging parley.events publish',
      'history history apply',
      'notification notification apply',
      'realtime deliver message.created',
      'realtime deliver message.created',
    ]);
    const [request] = spans.filter(({ name }) => name.startsWith('POST '));
    expect(request).toMatchObject({ service: 'messaging', parentSpanId: spanId });
    expect(named(spans, 'messaging', 'message.send')[0]?.parentSpanId).toBe(request?.spanId);
  });

  test('sees the notification of a mention in the trace of its message', async () => {
    const { traceId } = await trace(() =>
      alice.client.api.sendMessage({
        params: { conversationId },
        body: { clientMessageId: randomUUID(), body: 'you', mentions: [bobs[0]!.user.id] },
      }),
    );
    const told = await collector.until((all) => {
      const own = all.filter((span) => span.traceId === traceId);
      const [published] = named(own, 'messaging', 'parley.events publish');
      // Every realtime node hears it: whose sockets they are it cannot know.
      const heard = named(own, 'realtime', 'parley.users');
      return published && heard.length === 2 ? { published, heard } : undefined;
    });
    for (const span of told.heard) expect(span.parentSpanId).toBe(told.published.spanId);
  });

  test('may take the collector away: messages are delivered all the same', async () => {
    collector.status = 503;
    await trace(() => deliver('without a collector'));
    collector.status = 200;
  });

  test('replaces the keys while everything runs', async () => {
    const { keys, apps } = system.stack;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const kid = randomUUID();
    const add = (file: string, jwk: object) => {
      const { keys: before } = JSON.parse(readFileSync(file, 'utf8')) as { keys: object[] };
      writeFileSync(file, JSON.stringify({ keys: [{ ...jwk, kid }, ...before] }));
      // They look by themselves as well, once a second.
      for (const { pid } of apps.instances) if (pid !== undefined) process.kill(pid, 'SIGHUP');
    };
    add(keys.publicFile, pair.publicKey.export({ format: 'jwk' }));
    const published = async () => {
      const response = await fetch(`${system.url}/v1/auth/.well-known/jwks.json`);
      return ((await response.json()) as { keys: { kid: string }[] }).keys.some((key) => key.kid === kid);
    };
    while (!(await published())) await delay(100);
    add(keys.privateFile, pair.privateKey.export({ format: 'jwk' }));

    const login = async () => {
      const { tokens } = await answered(() =>
        alice.client.api.login({ body: { login: alice.user.username, password: alice.password } }),
      );
      return tokens.accessToken;
    };
    let token = await login();
    const kidOf = (jwt: string) =>
      (JSON.parse(Buffer.from(jwt.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
    while (kidOf(token) !== kid) {
      await delay(100);
      token = await login();
    }
    for (const { app, port } of apps.instances) {
      while (!(await accepts(app, port, token, conversationId))) await delay(100);
    }
    // Who is connected with an older token notices nothing.
    await deliver('after the keys were replaced');
  });
});

const doors: Partial<Record<AppName, (conversationId: string) => string>> = {
  auth: () => '/v1/users/me',
  messaging: () => '/v1/conversations',
  history: (conversationId) => `/v1/conversations/${conversationId}/messages`,
  presence: () => '/v1/presence?userIds=01900000-0000-7000-8000-000000000001',
  notification: () => '/v1/notifications',
};

/** Whether an instance takes the token, asked at its own door. */
async function accepts(app: AppName, port: number, token: string, conversationId: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${token}` };
  const path = doors[app]?.(conversationId);
  if (path !== undefined) return (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status !== 401;
  const socket = io(`http://127.0.0.1:${port}`, {
    path: '/realtime',
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    extraHeaders: headers,
  });
  const isReady = await new Promise<boolean>((settle) => {
    socket.once('ready', () => settle(true));
    socket.once('session:closing', () => settle(false));
    socket.once('connect_error', () => settle(false));
  });
  socket.disconnect();
  return isReady;
}

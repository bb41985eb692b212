import type { ClientEvent, Message, ServerPayload } from '@parley/contracts';
import { io, type Socket } from 'socket.io-client';
import { closeClients, gatewayUrl, person, type Person } from './system/world';

/** A plain Socket.IO client, as somebody without the SDK would write it. */
function socket(options: { token?: string; ticket?: string }): Socket {
  const opened = io(gatewayUrl(), {
    path: '/realtime',
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    ...(options.token && { extraHeaders: { authorization: `Bearer ${options.token}` } }),
    ...(options.ticket && { query: { ticket: options.ticket } }),
  });
  sockets.push(opened);
  return opened;
}

const sockets: Socket[] = [];

function next<T>(of: Socket, event: string, matches: (payload: T) => boolean = () => true): Promise<T> {
  return new Promise((resolve) => {
    const listener = (payload: T) => {
      if (!matches(payload)) return;
      of.off(event, listener);
      resolve(payload);
    };
    of.on(event, listener);
  });
}

function ask(of: Socket, event: ClientEvent | string, payload: unknown): Promise<Record<string, unknown>> {
  return of.timeout(10_000).emitWithAck(event, payload) as Promise<Record<string, unknown>>;
}

describe('a stock socket.io-client', () => {
  let alice: Person;
  let bob: Person;
  let conversationId: string;
  beforeAll(async () => {
    [alice, bob] = await Promise.all([person('alice'), person('bob')]);
    conversationId = (await alice.client.direct(bob.user.id)).id;
  });
  afterAll(async () => {
    for (const one of sockets) one.disconnect();
    await closeClients();
  });

  const tokenOf = ({ client }: Person) => client.session.accessToken();

  it('connects with a header, is told where it stands, sends and syncs', async () => {
    const [mine, theirs] = await Promise.all([tokenOf(alice), tokenOf(bob)]);
    const a = socket({ token: mine });
    const b = socket({ token: theirs });
    const [ready] = await Promise.all([next<ServerPayload<'ready'>>(a, 'ready'), next(b, 'ready')]);
    expect(ready).toMatchObject({ protocol: 1, user: { id: alice.user.id, username: alice.user.username } });
    expect(ready.limits['messageBodyCharsMax']).toBeGreaterThan(0);
    expect(ready.conversations.map(({ id }) => id)).toContain(conversationId);

    const clientMessageId = 'stock-1';
    const arrived = next<{ message: Message }>(b, 'message:created', ({ message }) => {
      return message.clientMessageId === clientMessageId;
    });
    const ack = await ask(a, 'message:send', { conversationId, clientMessageId, body: 'By hand.' });
    expect(ack).toMatchObject({ ok: true, message: { body: 'By hand.', senderId: alice.user.id } });
    expect((await arrived).message).toEqual(ack['message']);

    const again = await ask(a, 'message:send', { conversationId, clientMessageId, body: 'By hand.' });
    expect(again).toEqual(ack);
    const mismatch = await ask(a, 'message:send', { conversationId, clientMessageId, body: 'Other.' });
    expect(mismatch).toMatchObject({ ok: false, error: { code: 'idempotency_mismatch' } });

    const { version } = ack['message'] as Message;
    const synced = await ask(b, 'sync', {
      epoch: ready.epoch,
      accountCursor: null,
      versions: { [conversationId]: 0 },
    });
    expect(synced).toMatchObject({ ok: true, epoch: ready.epoch, removed: [] });
    // The view may still be behind what was acknowledged; it says so then.
    const [delta] = synced['conversations'] as { version: number; head: number; messages: Message[] }[];
    expect(delta!.version).toBeLessThanOrEqual(version);
  });

  it('connects with a ticket, once', async () => {
    const { ticket } = await alice.client.api.createRealtimeTicket();
    const ready = await next<ServerPayload<'ready'>>(socket({ ticket }), 'ready');
    expect(ready.user.id).toBe(alice.user.id);

    const second = socket({ ticket });
    const outcome = await Promise.race([
      next(second, 'ready').then(() => 'ready'),
      next(second, 'connect_error').then(() => 'refused'),
      next<{ code: string }>(second, 'session:closing').then(({ code }) => code),
    ]);
    expect(['refused', 'unauthenticated']).toContain(outcome);
  });

  it.each([
    ['no token', () => ({})],
    ['a token that is none', () => ({ token: 'abc.def.ghi' })],
    ['a ticket that is none', () => ({ ticket: 'abc.def.ghi' })],
  ])('is refused with %s', async (_, options) => {
    const error = await next<Error>(socket(options()), 'connect_error');
    expect(error).toBeInstanceOf(Error);
  });

  it('is told what is wrong, and stays connected', async () => {
    const a = socket({ token: await tokenOf(alice) });
    await next(a, 'ready');
    const cases: [string, unknown, string][] = [
      ['message:send', {}, 'invalid_request'],
      ['message:send', 'text', 'invalid_request'],
      ['message:send', { conversationId, clientMessageId: 'x', body: 'y', color: 'red' }, 'invalid_request'],
      ['message:send', { conversationId, clientMessageId: 'x', body: ' ' }, 'invalid_request'],
      ['message:send', { conversationId: alice.user.id, clientMessageId: 'x', body: 'y' }, 'not_found'],
      ['no:such-event', {}, 'invalid_request'],
      ['typing:start', { conversationId: bob.user.id }, 'not_found'],
    ];
    for (const [event, payload, code] of cases) {
      expect(await ask(a, event, payload)).toMatchObject({ ok: false, error: { code } });
    }
    expect(await ask(a, 'typing:start', { conversationId })).toEqual({ ok: true });
  });
});

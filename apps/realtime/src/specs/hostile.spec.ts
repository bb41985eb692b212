import { v7 as uuid } from 'uuid';
import type { Client } from '../testing/client';
import { RawClient } from '../testing/raw-client';
import { aUser, World } from '../testing/world';

describe('bad input', () => {
  let world: World;
  const [alice, bob] = [aUser(), aUser()];
  let a: Client, b: Client;
  let id: string;

  beforeAll(async () => {
    world = await World.start({ env: { SOCKET_OUTBOUND_BYTES: '1000000' } });
    a = await world.connect(alice);
    b = await world.connect(bob);
    id = world.messaging.log.create('group', [alice, bob]).id;
    for (const client of [a, b]) await client.take('conversation:created');
  });
  afterAll(() => world.stop());
  /** Whatever somebody did: others are served, and the process lives. */
  afterEach(async () => {
    const body = uuid();
    expect(await a.ask('message:send', { conversationId: id, clientMessageId: body, body })).toMatchObject({
      ok: true,
    });
    expect(await b.take('message:created')).toMatchObject({ message: { body } });
    await a.take('message:created');
  });

  const raw = async (): Promise<RawClient> => RawClient.ready(world.node(0).url, await world.token(aUser()));

  const message = (fields: object) => ({
    conversationId: id,
    clientMessageId: 'm',
    body: 'Hello',
    ...fields,
  });

  it.each([
    ['nothing', []],
    ['null', [null]],
    ['a number', [1]],
    ['text', ['text']],
    ['a list', [[1, 2]]],
    ['two payloads', [message({}), message({})]],
    ['an empty object', [{}]],
    ['an unknown field', [message({ admin: true })]],
    ['a prototype', [JSON.parse('{"__proto__": {"conversationId": "x"}}') as object]],
    ['a foreign id form', [message({ conversationId: 'x' })]],
    ['an id in upper case', [message({ conversationId: uuid().toUpperCase() })]],
    ['an empty body', [message({ body: ' ' })]],
    ['a body of the wrong type', [message({ body: { toString: 'x' } })]],
    ['a body that is too long', [message({ body: 'x'.repeat(8_001) })]],
    ['control characters', [message({ body: 'a\u0000b' })]],
    ['a bad client id', [message({ clientMessageId: 'a b' })]],
    ['a mention of nobody', [message({ mentions: ['x'] })]],
    ['too many mentions', [message({ mentions: Array.from({ length: 51 }, aUser) })]],
    ['binary', [Buffer.from('binary')]],
    ['binary within', [message({ body: Buffer.from('binary') })]],
  ])('is answered with invalid_request: %s', async (_name, args) => {
    expect(await a.askRaw('message:send', ...args)).toMatchObject({
      ok: false,
      error: { code: 'invalid_request' },
    });
  });

  it.each(['unknown', '', 'constructor', '__proto__', 'toString', 'ready', 'error', 'message:created'])(
    'is answered when there is no such event: %s',
    async (event) => {
      expect(await a.askRaw(event, {})).toMatchObject({ ok: false, error: { code: 'invalid_request' } });
    },
  );

  it('is refused for every event', async () => {
    for (const event of [
      'message:send',
      'message:edit',
      'message:delete',
      'reaction:add',
      'reaction:remove',
      'conversation:read',
      'typing:start',
      'typing:stop',
      'presence:set',
      'presence:watch',
      'presence:unwatch',
      'sync',
      'auth:refresh',
    ]) {
      expect(await a.askRaw(event, { conversationId: 1, items: [] })).toMatchObject({
        ok: false,
        error: { code: 'invalid_request' },
      });
    }
  });

  it('is answered for names that are numbers', async () => {
    const client = await raw();
    client.send('427[5,{}]');
    expect(await client.take('437')).toContain('invalid_request');
  });

  it.each([
    ['an event that asks for no answer and is wrong', '42["message:send",{}]'],
    ['an unknown event that asks for no answer', '42["nothing"]'],
    ['an event without a name', '42[]'],
    ['no JSON', '42["message:send",{'],
    ['no list', '42{"a":1}'],
    ['a reserved name', '42["connect"]'],
    ['an unknown packet type', '49'],
    ['a packet for another namespace', '42/admin,["x"]'],
    ['a second connection', '40'],
    ['an error packet', '44{"message":"x"}'],
    ['too many attachments', '4599-["x"]'],
    ['a text where binary was announced', '451-["x",{"_placeholder":true,"num":0}]|42["x"]'],
    ['binary out of the blue', 'binary'],
  ])('closes the socket with a reason: %s', async (_name, frames) => {
    const client = await raw();
    if (frames === 'binary') client.send(Buffer.from('binary'));
    else for (const frame of frames.split('|')) client.send(frame);
    expect(await client.takeReason()).toBe('protocol_unsupported');
  });

  it('carries out what asks for no answer and is right', async () => {
    const client = await RawClient.ready(world.node(0).url, await world.token(alice));
    client.send(
      `42["message:send",${JSON.stringify(message({ clientMessageId: 'silent', body: 'silent' }))}]`,
    );
    for (const other of [a, b]) {
      expect(await other.take('message:created')).toMatchObject({ message: { body: 'silent' } });
    }
    client.ws.close();
  });

  it.each([
    ['a payload of 100 kB', 'x'.repeat(100_000)],
    ['a payload of 1 MB', 'x'.repeat(1_000_000)],
  ])('closes the socket with payload_too_large: %s', async (_name, body) => {
    const client = await raw();
    client.send(`421["message:send",${JSON.stringify(message({ body }))}]`);
    expect(await client.takeReason()).toBe('payload_too_large');
    expect(client.closeCode).toBe(1009);
  });

  it('closes the socket for text that is no UTF-8', async () => {
    const client = await raw();
    client.ws.send(Buffer.from([0x34, 0x32, 0xff, 0xfe]), { binary: false });
    expect(await client.takeReason()).toBe('protocol_unsupported');
  });

  it('survives Engine.IO packets that clients do not send', async () => {
    for (const packet of ['0', '1', '2', '2probe', '5', '6', '9', '']) {
      const client = await raw();
      client.send(packet);
      client.ws.close();
      await client.take('closed');
    }
  });

  it('survives connections that end in the middle of things', async () => {
    const token = await world.token(aUser());
    for (const packets of [
      [],
      ['40'],
      ['40', '421["sync",{"epoch":null,"accountCursor":null,"versions":{}}]'],
    ]) {
      const client = RawClient.open(world.node(0).url, token);
      await client.take('0{');
      for (const packet of packets) client.send(packet);
      client.ws.terminate();
      await client.take('closed');
    }
  });

  it('slows a socket down that sends too much, and closes it when it goes on', async () => {
    const client = await raw();
    const send = (n: number): void => {
      for (let i = 0; i < n; i += 1) client.send(`42${i}["typing:start",{"conversationId":"${id}"}]`);
    };
    send(250);
    const refused = await client.take('43249');
    expect(refused).toContain('rate_limited');
    expect(refused).toContain('retryAfterMs');
    send(2_000);
    expect(await client.takeReason()).toBe('rate_limited');
  });

  it('closes a socket that does not read, and forgets what waited for it', async () => {
    const reader = aUser();
    const client = await RawClient.ready(world.node(0).url, await world.token(reader));
    const flood = world.messaging.log.create('group', [reader]).id;
    await client.take('42["conversation:created"');
    client.ws.pause();
    let count = 0;
    const isClosed = async (): Promise<boolean> =>
      (await world.metrics(0)).includes('realtime_closed_total{reason="slow_consumer"} 1');
    while (!(await isClosed())) {
      for (let i = 0; i < 100; i += 1) {
        world.messaging.log.send({
          conversationId: flood,
          actorId: reader,
          clientMessageId: `m${(count += 1)}`,
          body: 'x'.repeat(8_000),
          format: 'plain',
          mentions: [],
          attachments: [],
        });
      }
    }
    await world.untilConnections(reader, world.nodeId(0), 0);
    client.ws.terminate();
  });
});

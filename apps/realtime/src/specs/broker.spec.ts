import { randomUUID } from 'node:crypto';
import { Broker } from '@parley/broker';
import { managementRequest, testServers, until } from '@parley/testing';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

interface Connection {
  name: string;
  user_provided_name?: string;
}

describe('a lost connection to the broker', () => {
  let world: World;
  let broker: Broker;
  const [alice, bob] = [aUser(), aUser()];
  let a: Client, b: Client;

  beforeAll(async () => {
    world = await World.start();
    broker = world.node(0).app.get(Broker);
    a = await world.connect(alice);
    b = await world.connect(bob);
  });
  afterAll(() => world.stop());

  /** Makes RabbitMQ close the node's connection; calls back at the moment at which the node notices. */
  async function cut(onLost: () => void): Promise<void> {
    const servers = await testServers();
    const own = `realtime.${world.nodeId(0)}`;
    const back = new Promise<void>((resolve) =>
      broker.once('disconnected', () => {
        onLost();
        broker.once('connected', () => resolve());
      }),
    );
    const { name } = await until('RabbitMQ shows the connection', async () => {
      const all = (await managementRequest(servers, 'GET', '/api/connections')) as Connection[];
      return all.find((connection) => connection.user_provided_name === own);
    });
    await managementRequest(servers, 'DELETE', `/api/connections/${encodeURIComponent(name)}`);
    await back;
  }

  it('leaves nobody with a presence that had changed before it was read again', async () => {
    const carol = aUser();
    const entry = (status: 'online' | 'away') => ({ userId: carol, status, lastSeenAt: null });
    world.presence = [entry('online')];
    await a.ask('presence:watch', { userIds: [carol] });
    let release!: () => void;
    const read = new Promise<void>((onRead) => {
      world.beforePresenceAnswer = () => {
        onRead();
        return new Promise<void>((resolve) => (release = resolve));
      };
    });
    await cut(() => undefined);
    await read;
    world.beforePresenceAnswer = () => Promise.resolve();
    world.presencePeer.publisher.presence([entry('away')]);
    expect(await a.take('presence:changed')).toEqual({ items: [entry('away')] });
    release();
    expect(await a.take('presence:changed')).toEqual({ items: [entry('away')] });
    await a.ask('presence:unwatch', { userIds: [carol] });
    for (const client of [a, b]) await client.take('account:changed');
  });

  it('is told of honestly, mends itself, and loses neither rows nor revocations', async () => {
    const { id } = world.messaging.log.create('group', [alice, bob]);
    for (const client of [a, b]) await client.take('conversation:created');
    world.presence = [{ userId: bob, status: 'online', lastSeenAt: null }];
    await a.ask('presence:watch', { userIds: [bob] });
    const sid = randomUUID();
    const revoked = await world.connect(alice, 0, sid);

    let refused: Promise<unknown> | undefined;
    await cut(() => {
      refused = a.ask('message:send', { conversationId: id, clientMessageId: 'm1', body: 'Hello' });
      world.messaging.log.rename(id, 'While away');
      world.presence = [{ userId: bob, status: 'dnd', lastSeenAt: null }];
      void world.auth.broker.publishConfirmed('parley.accounts', 'session.revoked', {
        kind: 'session.revoked',
        sequence: 1,
        at: new Date().toISOString(),
        userId: alice,
        sessionId: sid,
      });
    });

    expect(await refused).toMatchObject({ ok: false, error: { code: 'unavailable' } });
    expect(await revoked.take('session:closing')).toMatchObject({ code: 'session_revoked' });
    // What single users were told is not in any log: they are asked to sync.
    for (const client of [a, b]) await client.take('account:changed');
    expect(await a.take('presence:changed')).toEqual({ items: world.presence });
    await world.messaging.announcingHeads(async () => {
      for (const client of [a, b]) {
        expect(await client.take('conversation:updated')).toMatchObject({
          conversation: { title: 'While away' },
        });
      }
    });
    const message = { conversationId: id, clientMessageId: 'm1', body: 'Hello' };
    await until('the message is taken', async () => (await a.ask('message:send', message)).ok);
    expect(await b.take('message:created')).toMatchObject({ message: { body: 'Hello' } });
  });
});

describe('a broker that is not there', () => {
  it('lets a node start, say so, turn clients away, and end', async () => {
    const world = await World.start({ nodes: 0 });
    const node = await world.startNode({ AMQP_URL: 'amqp://nobody:nothing@127.0.0.1:1' }, false);
    expect((await fetch(`${node.url}/health/live`)).status).toBe(200);
    expect((await fetch(`${node.url}/health/ready`)).status).toBe(503);
    const client = world.open({ token: await world.token(aUser()) });
    expect(await client.take('session:closing')).toMatchObject({ code: 'internal', reconnect: true });
    await world.stop();
  });
});

import { privateRedis, until } from '@parley/testing';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

/** Slower than the limit of events: who asks on without a pause is cut off before the nodes have found each other. */
const TYPING_PAUSE_MS = 100;

describe('Redis', () => {
  let world: World;
  let redis: Awaited<ReturnType<typeof privateRedis>>;
  const [alice, bob, carol] = [aUser(), aUser(), aUser()];
  let a: Client, b: Client, c: Client;
  let id: string;
  let count = 0;

  beforeAll(async () => {
    redis = await privateRedis();
    world = await World.start({ nodes: 2, redisUrl: redis.url });
    a = await world.connect(alice, 0);
    b = await world.connect(bob, 1);
    c = await world.connect(carol, 0);
    id = world.messaging.log.create('group', [alice, bob, carol]).id;
    for (const client of [a, b, c]) await client.take('conversation:created');
  });
  afterAll(async () => {
    await world.stop();
    await redis.stop();
  });

  /** A message from alice that arrives everywhere. */
  async function messageArrives(): Promise<void> {
    const body = `message ${(count += 1)}`;
    await world.messaging.announcingHeads(async () => {
      const answer = await a.ask('message:send', { conversationId: id, clientMessageId: `m${count}`, body });
      expect(answer).toMatchObject({ ok: true });
      for (const client of [a, b, c]) {
        expect(await client.take('message:created')).toMatchObject({ message: { body } });
      }
    });
  }

  async function untilStatus(status: string): Promise<void> {
    for (const node of world.nodes) {
      await until(`the node is ${status}`, async () => {
        const response = await fetch(`${node.url}/health/ready`);
        expect(response.status).toBe(200);
        return ((await response.json()) as { status: string }).status === status;
      });
    }
  }

  it('carries events between nodes', messageArrives);

  it('stops nothing while it is dead', async () => {
    await redis.kill();
    await messageArrives();
    // Nobody can tell whether a ticket was used, so its own time is the bound.
    await world.open({ ticket: await world.ticket(aUser()) }).take('ready');
    expect(await a.ask('typing:start', { conversationId: id })).toEqual({ ok: true });
    expect(await c.take('typing:changed')).toMatchObject({ userId: alice, typing: true });
    await untilStatus('degraded');
  });

  it('carries events again when it is back', async () => {
    await redis.start();
    await untilStatus('ok');
    // Without announced heads: only the way through Redis is left for whoever is not on the lane's node.
    const hears = async () => {
      await a.ask('typing:stop', { conversationId: id });
      await a.ask('typing:start', { conversationId: id });
      return b.names.includes('typing:changed');
    };
    await until('the other node hears of typing', hears, { everyMs: TYPING_PAUSE_MS });
    for (const client of [b, c]) client.events.length = 0;
    const body = 'through Redis';
    await a.ask('message:send', { conversationId: id, clientMessageId: 'back', body });
    for (const client of [a, b, c]) {
      expect(await client.take('message:created')).toMatchObject({ message: { body } });
    }
  });

  it('stops nothing while it is frozen', async () => {
    redis.freeze();
    for (let i = 0; i < 20; i += 1) await messageArrives();
    await world.open({ ticket: await world.ticket(aUser()) }).take('ready');
    await untilStatus('degraded');
    redis.thaw();
    await untilStatus('ok');
    await messageArrives();
  });
});

import { io } from 'socket.io-client';
import { aUser, World } from '../testing/world';

describe('draining', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start({ nodes: 2, env: { DRAIN_MS: '1500' } });
  });
  afterAll(() => world.stop());

  it('sends every socket elsewhere, over a window, and ends', async () => {
    const users = Array.from({ length: 20 }, aUser);
    const clients = await Promise.all(users.map((user) => world.connect(user, 0)));
    const { id } = world.messaging.log.create('group', users);
    for (const client of clients) await client.take('conversation:created');

    const closed = world.node(0).close();
    const waits: number[] = [];
    for (const client of clients) {
      const { deadline, reconnectAfterMs } = await client.take('server:draining');
      expect(Date.parse(deadline)).toBeGreaterThan(Date.now() - 1_000);
      expect(reconnectAfterMs).toBeGreaterThanOrEqual(0);
      expect(reconnectAfterMs).toBeLessThanOrEqual(1_500);
      waits.push(reconnectAfterMs);
    }
    expect(new Set(waits).size).toBeGreaterThan(1);

    // Until its turn comes, a socket is served as ever.
    const last = clients[waits.indexOf(Math.max(...waits))];
    const answer = last?.ask('message:send', { conversationId: id, clientMessageId: 'late', body: 'Late' });
    expect(await answer).toMatchObject({ ok: true });
    expect(await last?.take('message:created')).toMatchObject({ message: { body: 'Late' } });

    for (const client of clients) {
      expect(await client.take('session:closing')).toMatchObject({ code: 'draining', reconnect: true });
      // In the way that makes a stock client come back.
      expect(await client.take('disconnect')).toBe('transport close');
    }
    await closed;
    await expect(fetch(`${world.node(0).url}/health/ready`)).rejects.toThrow();
  });

  it('loses nothing on the nodes that stay', async () => {
    const [alice, bob] = [aUser(), aUser()];
    const a = await world.connect(alice, 1);
    const { id } = world.messaging.log.create('group', [alice, bob]);
    await a.take('conversation:created');
    await world.messaging.announcingHeads(async () => {
      for (let i = 0; i < 20; i += 1) {
        const message = { conversationId: id, clientMessageId: `m${i}`, body: `${i}` };
        expect(await a.ask('message:send', message)).toMatchObject({ ok: true });
        expect((await a.take('message:created')).message.body).toBe(`${i}`);
      }
    });
  });

  it('lets a stock client come back by itself', async () => {
    const third = await world.startNode({ DRAIN_MS: '0' });
    const user = aUser();
    const socket = io(third.url, {
      path: '/realtime',
      transports: ['websocket'],
      extraHeaders: { authorization: `Bearer ${await world.token(user)}` },
      reconnectionDelay: 10,
      reconnectionDelayMax: 20,
    });
    await new Promise((resolve) => socket.once('ready', resolve));
    const attempt = new Promise((resolve) => socket.io.once('reconnect_attempt', resolve));
    await third.close();
    await attempt;
    socket.disconnect();
  });
});

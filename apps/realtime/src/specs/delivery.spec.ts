import { aUser, World } from '../testing/world';

describe('one message', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
  });
  afterAll(() => world.stop());

  it('is acknowledged to its sender and delivered to every member, on both nodes', async () => {
    const [alice, bob, carol] = [aUser(), aUser(), aUser()];
    const { id } = world.messaging.log.create('direct', [alice, bob]);
    const here = await world.connect(alice, 0);
    const there = await world.connect(bob, 1);
    const outside = await world.connect(carol, 1);

    const answer = await here.ask('message:send', {
      conversationId: id,
      clientMessageId: 'm1',
      body: 'Hello',
    });

    expect(answer).toMatchObject({ ok: true, message: { number: 1, body: 'Hello', senderId: alice } });
    const event = { conversationId: id, version: 2, message: { body: 'Hello', clientMessageId: 'm1' } };
    expect(await here.take('message:created')).toMatchObject(event);
    expect(await there.take('message:created')).toMatchObject(event);
    expect(outside.names).toEqual([]);
  });
});

import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

describe('memberships', () => {
  let world: World;
  const [alice, bob, carol] = [aUser(), aUser(), aUser()];
  let a: Client, b: Client, c: Client;

  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
    a = await world.connect(alice, 0);
    b = await world.connect(bob, 1);
    c = await world.connect(carol, 0);
  });
  afterAll(() => world.stop());

  const say = (conversationId: string, body: string, actorId = alice) =>
    world.messaging.log.send({
      conversationId,
      actorId,
      clientMessageId: body,
      body,
      format: 'plain',
      mentions: [],
      attachments: [],
    });

  it('bring somebody who is added into the room, from then on', async () => {
    const { id } = world.messaging.log.create('group', [alice, bob]);
    say(id, 'before');
    world.messaging.log.add(id, carol);
    say(id, 'after');

    expect(await c.take('conversation:created')).toMatchObject({ conversationId: id, version: 3 });
    expect(await c.take('message:created')).toMatchObject({ message: { body: 'after' } });
    expect(c.names).toEqual([]);
    for (const client of [a, b]) {
      expect(await client.take('conversation:created')).toMatchObject({ version: 1 });
      expect(await client.take('message:created')).toMatchObject({ message: { body: 'before' } });
      expect(await client.take('member:changed')).toMatchObject({
        conversationId: id,
        version: 3,
        change: 'added',
        member: { userId: carol, role: 'member' },
      });
      expect(await client.take('message:created')).toMatchObject({ message: { body: 'after' } });
      expect(client.names).toEqual([]);
    }
  });

  it('let nothing reach somebody who was removed, until they are added again', async () => {
    const { id } = world.messaging.log.create('group', [alice, bob, carol]);
    say(id, 'before');
    world.messaging.log.remove(id, carol);
    say(id, 'without carol');
    world.messaging.log.rename(id, 'Without carol');
    world.messaging.log.add(id, carol);
    say(id, 'again');

    await c.take('conversation:created');
    expect(await c.take('message:created')).toMatchObject({ message: { body: 'before' } });
    expect(await c.take('conversation:removed')).toEqual({ conversationId: id, version: 3 });
    expect(await c.take('conversation:created')).toMatchObject({ conversationId: id, version: 6 });
    expect(await c.take('message:created')).toMatchObject({ message: { body: 'again' } });
    expect(c.names).toEqual([]);

    for (const client of [a, b]) {
      const versions: number[] = [];
      await client.take('conversation:created');
      versions.push((await client.take('message:created')).version);
      expect(await client.take('member:changed')).toMatchObject({
        change: 'removed',
        member: { userId: carol },
      });
      versions.push((await client.take('message:created')).version);
      versions.push((await client.take('conversation:updated')).version);
      versions.push((await client.take('member:changed')).version);
      versions.push((await client.take('message:created')).version);
      expect(versions).toEqual([2, 4, 5, 6, 7]);
      expect(client.names).toEqual([]);
    }
  });

  it('tell of joins and leaves of a channel only to whom they concern', async () => {
    const { id } = world.messaging.log.create('channel', [alice, bob]);
    world.messaging.log.add(id, carol);
    say(id, 'with carol');
    world.messaging.log.remove(id, carol);
    say(id, 'without carol');

    expect(await c.take('conversation:created')).toMatchObject({ conversationId: id, version: 1 });
    expect(await c.take('message:created')).toMatchObject({ message: { body: 'with carol' } });
    expect(await c.take('conversation:removed')).toEqual({ conversationId: id, version: 2 });
    expect(c.names).toEqual([]);
    for (const client of [a, b]) {
      await client.take('conversation:created');
      await client.take('message:created');
      await client.take('message:created');
      expect(client.names).toEqual([]);
    }
  });

  it('end for everybody when a conversation is deleted', async () => {
    const { id } = world.messaging.log.create('group', [alice, carol]);
    world.messaging.log.delete(id);
    for (const client of [a, c]) {
      await client.take('conversation:created');
      expect(await client.take('conversation:removed')).toEqual({ conversationId: id, version: 2 });
    }
    expect(b.names).toEqual([]);
    expect(await a.ask('typing:start', { conversationId: id })).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
  });
});

import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

describe('delivery', () => {
  let world: World;
  const [alice, bob, carol] = [aUser(), aUser(), aUser()];
  let here: Client, here2: Client, there: Client, outside: Client;

  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
    here = await world.connect(alice, 0);
    here2 = await world.connect(alice, 1);
    there = await world.connect(bob, 1);
    outside = await world.connect(carol, 1);
  });
  afterAll(() => world.stop());

  /** A conversation of alice and bob whose creation has been told. */
  async function conversation(partition?: number): Promise<string> {
    const { id } = world.messaging.log.create('group', [alice, bob], partition);
    for (const client of [here, here2, there]) await client.take('conversation:created');
    return id;
  }

  it('acknowledges a message to its sender and brings it to every member on every node', async () => {
    const id = await conversation();
    const answer = await here.ask('message:send', {
      conversationId: id,
      clientMessageId: 'm1',
      body: 'Hello',
    });
    expect(answer).toMatchObject({ ok: true, message: { number: 1, body: 'Hello', senderId: alice } });
    const event = { conversationId: id, version: 2, message: { body: 'Hello', clientMessageId: 'm1' } };
    for (const client of [here, here2, there]) {
      expect(await client.take('message:created')).toMatchObject(event);
    }
    expect(outside.names).toEqual([]);
  });

  it('tells of a row of a later release by its version alone, so that clients sync', async () => {
    const id = await conversation();
    world.messaging.log.foreign(id, 'message.translated');
    const position = { versions: { [id]: 2 } };
    for (const client of [here, here2, there]) expect(await client.take('position')).toEqual(position);
    world.messaging.log.rename(id, 'Later');
    for (const client of [here, here2, there]) {
      expect(await client.take('conversation:updated')).toMatchObject({ version: 3 });
    }
  });

  it('answers a repeat with the same message and tells nobody twice', async () => {
    const id = await conversation();
    const payload = { conversationId: id, clientMessageId: 'same', body: 'Once' };
    const [first, second] = await Promise.all([
      here.ask('message:send', payload),
      here.ask('message:send', payload),
    ]);
    expect(second).toEqual(first);
    await there.take('message:created');
    world.messaging.log.rename(id, 'Later');
    await there.take('conversation:updated');
    expect(there.names).toEqual([]);
    for (const client of [here, here2]) {
      await client.take('message:created');
      await client.take('conversation:updated');
    }
  });

  it('numbers the messages of one socket in the order of sending, and delivers them so', async () => {
    const id = await conversation();
    const bodies = Array.from({ length: 50 }, (_, i) => `message ${i}`);
    const answers = await Promise.all(
      bodies.map((body, i) =>
        here.ask('message:send', { conversationId: id, clientMessageId: `order-${i}`, body }),
      ),
    );
    expect(answers.map((answer) => (answer.message as { number: number }).number)).toEqual(
      bodies.map((_, i) => i + 1),
    );
    for (const client of [here, here2, there]) {
      const seen: (string | null)[] = [];
      for (const _ of bodies) seen.push((await client.take('message:created')).message.body);
      expect(seen).toEqual(bodies);
    }
  });

  it('brings edits and changes of the conversation', async () => {
    const id = await conversation();
    const sent = await here.ask('message:send', { conversationId: id, clientMessageId: 'm1', body: 'Helo' });
    const { id: messageId } = sent.message as { id: string };
    await here.ask('message:edit', { conversationId: id, messageId, body: 'Hello' });
    world.messaging.log.rename(id, 'New title');
    for (const client of [here, here2, there]) {
      expect(await client.take('message:created')).toMatchObject({ version: 2, message: { body: 'Helo' } });
      expect(await client.take('message:updated')).toMatchObject({ version: 3, message: { body: 'Hello' } });
      expect(await client.take('conversation:updated')).toMatchObject({
        version: 4,
        conversation: { title: 'New title' },
      });
      expect(client.names).toEqual([]);
    }
  });

  it('passes on what messaging refuses', async () => {
    const id = await conversation();
    const payload = { conversationId: id, clientMessageId: 'm1', body: 'Hello' };
    expect(await outside.ask('message:send', payload)).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
  });

  it('counts deliveries, acknowledgements and sockets', async () => {
    const text = await world.metrics(0);
    expect(text).toMatch(/realtime_deliveries_total [1-9]/);
    expect(text).toMatch(/realtime_ack_seconds_count\{event="message:send"\} [1-9]/);
    expect(text).toMatch(/realtime_client_events_total\{event="message:send",outcome="ok"\} [1-9]/);
    expect(text).toMatch(/realtime_partition_lag_rows\{partition="63"\} 0/);
  });
});

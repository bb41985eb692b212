import { describeMongo, testMongo } from '@parley/testing';
import { startSystem, type System } from './system/system';
import { anotherDevice, answered, bodies, closeClients, connected, type Person, until } from './system/world';

describeMongo('messages kept in MongoDB', () => {
  let system: System;
  let alice: Person;
  let bob: Person;
  beforeAll(async () => {
    const { url: mongodbUrl } = await testMongo();
    system = await startSystem('mongodb', { mongodbUrl });
    const { url } = system;
    [alice, bob] = await Promise.all([connected('alice', { url }), connected('bob', { url })]);
  });
  afterAll(async () => {
    await closeClients();
    await system.stop();
  });

  it('are delivered, changed, kept over restarts, read by page, and synced by who was away', async () => {
    const { id } = await alice.client.direct(bob.user.id);
    const first = await alice.client.send({ conversationId: id, body: 'Hello Bob.' }).stored;
    await until(bob.client, () => bodies(bob.client, id).length === 1);
    await bob.client.send({ conversationId: id, body: 'Hello Alice.' }).stored;
    await answered(() => bob.client.react(first, '👋'));

    bob.client.disconnect();
    const instances = system.stack.apps.instances.filter(
      ({ app }) => app === 'messaging' || app === 'history',
    );
    for (const instance of instances) {
      await instance.kill();
      await instance.start();
    }
    await alice.client.send({ conversationId: id, body: 'Are you there?' }).stored;
    const edited = await answered(() => alice.client.edit(first, { body: 'Hello, Bob.' }));
    await bob.client.connect();
    await bob.client.synced();
    const all = ['Hello, Bob.', 'Hello Alice.', 'Are you there?'];
    expect(bodies(bob.client, id)).toEqual(all);

    const query = { after: 0, atLeast: edited.version };
    const page = await answered(() => bob.client.api.listMessages({ params: { conversationId: id }, query }));
    expect(page.items.map(({ body }) => body)).toEqual(all);
    expect(page.items[0]?.reactions).toMatchObject([{ emoji: '👋', count: 1 }]);
    const device = await anotherDevice(bob, { url: system.url });
    await device.connect();
    await device.synced();
    expect(device.store.messages(id)).toEqual(bob.client.store.messages(id));
  });
});

import { bodies, closeClients, connected, until, type Person } from './system/world';

afterAll(closeClients);

describe('two people', () => {
  let alice: Person;
  let bob: Person;
  beforeAll(async () => {
    [alice, bob] = await Promise.all([connected('alice'), connected('bob')]);
  });

  it('talk, lose their connection, come back and miss nothing', async () => {
    const { id } = await alice.client.direct(bob.user.id);
    const said = (client = bob.client) => bodies(client, id);

    const first = await alice.client.send({ conversationId: id, body: 'Hello Bob.' }).stored;
    expect(first).toMatchObject({ number: 1, senderId: alice.user.id, body: 'Hello Bob.' });
    await until(bob.client, () => said().length === 1);
    await bob.client.send({ conversationId: id, body: 'Hello Alice.' }).stored;

    bob.client.disconnect();
    for (const body of ['Are you there?', 'Bob?', 'Well, later.']) {
      await alice.client.send({ conversationId: id, body }).stored;
    }
    const late = bob.client.send({ conversationId: id, body: 'Sorry, a tunnel.' });
    expect(bob.client.timeline(id).outgoing).toMatchObject([{ state: 'queued' }]);

    await bob.client.connect();
    await late.stored;
    await bob.client.synced();
    await until(alice.client, () => said(alice.client).length === 6);
    const all = ['Hello Bob.', 'Hello Alice.', 'Are you there?', 'Bob?', 'Well, later.', 'Sorry, a tunnel.'];
    expect(said()).toEqual(all);
    expect(said(alice.client)).toEqual(all);
    expect(bob.client.timeline(id).outgoing).toEqual([]);
  });
});

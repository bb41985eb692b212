import type { AnyServerEvent } from '@parley/client';
import { bodies, closeClients, connected, person, until, type Person } from './system/world';

afterAll(closeClients);

describe('groups and channels', () => {
  let alice: Person;
  let bob: Person;
  let carol: Person;
  beforeAll(async () => {
    [alice, bob, carol] = await Promise.all([connected('alice'), connected('bob'), connected('carol')]);
  });

  const members = ({ client }: Person, id: string) => client.store.members(id).map(({ userId }) => userId);

  it('tell members who comes and goes, and nothing to who is gone', async () => {
    const { id } = await alice.client.create({ type: 'group', title: 'Plan', memberIds: [bob.user.id] });
    await until(bob.client, () => members(bob, id).length === 2);
    await alice.client.send({ conversationId: id, body: 'For two.' }).stored;

    const added = await alice.client.api.addMember({ params: { conversationId: id, userId: carol.user.id } });
    expect(added.member).toMatchObject({ userId: carol.user.id, role: 'member' });
    await until(carol.client, () => members(carol, id).length === 3);
    await until(bob.client, () => members(bob, id).length === 3);

    const removed = carol.client.store.once('removed', ({ conversationId }) => conversationId === id);
    const { version } = await alice.client.api.removeMember({
      params: { conversationId: id, userId: carol.user.id },
    });
    await removed;
    const heard: AnyServerEvent[] = [];
    carol.client.realtime.on('any', (event) => heard.push(event));
    const secret = await alice.client.send({ conversationId: id, body: 'Not for Carol.' }).stored;
    expect(secret.version).toBeGreaterThan(version);
    await until(bob.client, () => bodies(bob.client, id).includes('Not for Carol.'));
    // Something of another conversation, sent later, has come: what went before it would be here.
    const { id: other } = await alice.client.direct(carol.user.id);
    await alice.client.send({ conversationId: other, body: 'Still friends.' }).stored;
    await until(carol.client, () => bodies(carol.client, other).length === 1);
    expect(
      heard.filter(({ payload }) => 'conversationId' in payload && payload.conversationId === id),
    ).toEqual([]);
    await expect(carol.client.api.listMessages({ params: { conversationId: id } })).rejects.toMatchObject({
      code: 'not_found',
    });
    await expect(carol.client.send({ conversationId: id, body: 'Let me in.' }).stored).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('have roles', async () => {
    const { id } = await alice.client.create({ type: 'group', title: 'Roles', memberIds: [bob.user.id] });
    await until(bob.client, () => members(bob, id).length === 2);
    const rename = () =>
      bob.client.api.updateConversation({ params: { conversationId: id }, body: { title: 'Bobs' } });
    const params = { conversationId: id, userId: bob.user.id };
    await alice.client.api.changeRole({ params, body: { role: 'admin' } });
    await until(bob.client, () => bob.client.store.conversation(id)?.role === 'admin');
    const { conversation } = await rename();
    expect(conversation.title).toBe('Bobs');
    await until(alice.client, () => alice.client.store.conversation(id)?.title === 'Bobs');
    await alice.client.api.deleteConversation({ params: { conversationId: id } });
    await until(bob.client, () => bob.client.store.conversation(id) === undefined);
  });

  it('of public kind are found, joined and left', async () => {
    const title = `News ${alice.user.username}`;
    const { id } = await alice.client.create({ type: 'channel', title, visibility: 'public' });
    await alice.client.send({ conversationId: id, body: 'First.' }).stored;
    const found = await bob.client.api.searchChannels({ query: { query: title } });
    expect(found.items.map((item) => item.id)).toContain(id);
    await bob.client.join(id);
    await until(bob.client, () => bob.client.store.conversation(id)?.current === true);
    await alice.client.send({ conversationId: id, body: 'Second.' }).stored;
    await until(bob.client, () => bodies(bob.client, id).at(-1) === 'Second.');

    const left = bob.client.store.once('removed', ({ conversationId }) => conversationId === id);
    await bob.client.api.removeMember({ params: { conversationId: id, userId: bob.user.id } });
    await left;
  });

  it('are made once however often they are asked for', async () => {
    const key = `key-${alice.user.id}`;
    const body = { type: 'group' as const, title: 'Once', memberIds: [bob.user.id] };
    const [one, two] = await Promise.all([alice.client.create(body, key), alice.client.create(body, key)]);
    expect(two.id).toBe(one.id);
    await expect(alice.client.create({ ...body, title: 'Twice' }, key)).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    const dave = await person('dave');
    const [here, there] = await Promise.all([
      alice.client.direct(dave.user.id),
      dave.client.direct(alice.user.id),
    ]);
    expect(here.id).toBe(there.id);
  });
});

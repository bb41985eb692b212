import type { PresenceEntry } from '@parley/contracts';
import { anotherDevice, closeClients, connected, person, until, type Person } from './system/world';

afterAll(closeClients);

/** Resolves once the watched person has that status. */
function presenceOf({ client }: Person, userId: string, status: PresenceEntry['status']): Promise<unknown> {
  if (client.presence.of(userId)?.status === status) return Promise.resolve();
  return client.presence.once('changed', ({ items }) =>
    items.some((item) => item.userId === userId && item.status === status),
  );
}

describe('who writes, who is there, what is read', () => {
  let alice: Person;
  let bob: Person;
  let conversationId: string;
  beforeAll(async () => {
    [alice, bob] = await Promise.all([connected('alice'), connected('bob')]);
    conversationId = (await alice.client.direct(bob.user.id)).id;
    await until(bob.client, () => bob.client.store.conversation(conversationId) !== undefined);
  });

  it('shows that somebody is writing, until the message is there', async () => {
    const begun = bob.client.typing.once('changed', ({ userIds }) => userIds.includes(alice.user.id));
    alice.client.typing.press(conversationId);
    await begun;
    const over = bob.client.typing.once('changed', ({ userIds }) => userIds.length === 0);
    await alice.client.send({ conversationId, body: 'Done.' }).stored;
    await over;
  });

  it('shows who is online, and since when somebody is not', async () => {
    const carol = await person('carol');
    const stop = alice.client.presence.watch([carol.user.id, bob.user.id]);
    await presenceOf(alice, bob.user.id, 'online');
    await carol.client.connect();
    await presenceOf(alice, carol.user.id, 'online');
    await carol.client.realtime.request('presence:set', { status: 'dnd' });
    await presenceOf(alice, carol.user.id, 'dnd');
    carol.client.disconnect();
    await presenceOf(alice, carol.user.id, 'offline');
    const { items } = await alice.client.api.getPresence({ query: { userIds: [carol.user.id] } });
    expect(items[0]).toMatchObject({ status: 'offline', lastSeenAt: expect.stringMatching(/^\d{4}-.*Z$/) });
    stop();
  });

  it('keeps all devices of a person at the same mark', async () => {
    const phone = await anotherDevice(bob);
    await phone.connect();
    await phone.synced();
    const before = bob.client.store.conversation(conversationId)!;
    for (const body of ['One.', 'Two.', 'Three.']) await alice.client.send({ conversationId, body }).stored;
    for (const device of [phone, bob.client]) {
      await until(device, () => device.store.conversation(conversationId)?.unread === before.unread + 3);
    }

    bob.client.markRead(conversationId);
    expect(bob.client.store.conversation(conversationId)?.unread).toBe(0);
    await until(phone, () => phone.store.conversation(conversationId)?.unread === 0);

    const { messageCount } = bob.client.store.conversation(conversationId)!;
    const params = { conversationId };
    await bob.client.api.markUnread({ params, body: { fromNumber: messageCount } });
    await until(phone, () => phone.store.conversation(conversationId)?.unreadFrom === messageCount);
    await bob.client.api.clearUnread({ params });
    await until(phone, () => phone.store.conversation(conversationId)?.unreadFrom === null);
    // Nobody else hears of it.
    expect(alice.client.store.conversation(conversationId)?.unread).toBe(0);
  });

  it('shows edits, reactions and deletions everywhere', async () => {
    const sent = await alice.client.send({ conversationId, body: 'Frist!' }).stored;
    const shown = () => bob.client.store.messages(conversationId).find(({ id }) => id === sent.id);
    await alice.client.edit(sent, { body: 'First!' });
    await until(bob.client, () => shown()?.body === 'First!');
    expect(shown()?.editedAt).toBeDefined();
    await bob.client.react(sent, '🎉');
    await until(bob.client, () => shown()?.reactions.length === 1);
    expect(shown()?.reactions).toEqual([{ emoji: '🎉', count: 1, userIds: [bob.user.id] }]);
    const { version } = await bob.client.react(sent, '🎉');
    expect(version).toBe(shown()?.version);
    await bob.client.unreact(sent, '🎉');
    await expect(bob.client.edit(sent, { body: 'Mine.' })).rejects.toMatchObject({ code: 'forbidden' });
    await expect(alice.client.edit(sent, { body: 'Late.', ifVersion: sent.version })).rejects.toMatchObject({
      code: 'conflict',
    });
    await alice.client.delete(sent);
    await until(bob.client, () => shown()?.deletedAt !== undefined);
    expect(shown()).toMatchObject({ body: null, reactions: [] });
  });

  it('tells those who watch somebody of a new name', async () => {
    const stop = bob.client.presence.watch([alice.user.id]);
    await presenceOf(bob, alice.user.id, 'online');
    const changed = bob.client.realtime.once('user:changed', ({ user }) => user.id === alice.user.id);
    await alice.client.api.updateMe({ body: { displayName: 'Alice the First' } });
    expect((await changed).user.displayName).toBe('Alice the First');
    const { items } = await bob.client.api.listUsers({ query: { ids: [alice.user.id] } });
    expect(items).toEqual([
      { id: alice.user.id, username: alice.user.username, displayName: 'Alice the First' },
    ]);
    stop();
  });
});

import { anotherDevice, closeClients, connected, person, until, type Person } from './system/world';

afterAll(closeClients);

describe('the in-app list', () => {
  let alice: Person;
  beforeAll(async () => {
    alice = await connected('alice');
  });

  it('has what came while somebody was offline, and forgets it as unread once told', async () => {
    const bob = await person('bob');
    const { id } = await alice.client.direct(bob.user.id);
    const device = await anotherDevice(bob);
    const first = await alice.client.send({ conversationId: id, body: 'Ping.' }).stored;
    await bob.client.connect();
    await bob.client.synced();
    await listed(bob, ({ messageId }) => messageId === first.id);
    const { items, unreadCount } = await bob.client.api.listNotifications();
    expect(items[0]).toMatchObject({
      type: 'message',
      conversationId: id,
      messageId: first.id,
      number: 1,
      senderId: alice.user.id,
      readAt: null,
    });
    expect(unreadCount).toBe(1);
    const read = await bob.client.api.readNotifications({ body: { upTo: items[0]!.id } });
    expect(read.unreadCount).toBe(0);
    expect((await device.api.listNotifications()).items[0]?.readAt).not.toBeNull();
  });

  it('tells at once of a mention in a channel', async () => {
    const carol = await connected('carol');
    const { id } = await alice.client.create({ type: 'channel', title: 'All', memberIds: [carol.user.id] });
    await until(carol.client, () => carol.client.store.conversation(id) !== undefined);
    const told = carol.client.realtime.once('notification:created');
    await alice.client.send({ conversationId: id, body: 'Nothing for you.' }).stored;
    const mention = await alice.client.send({
      conversationId: id,
      body: '@carol look',
      mentions: [carol.user.id],
    }).stored;
    expect((await told).notification).toMatchObject({ type: 'mention', messageId: mention.id });
    // The message itself comes its own way, before or after.
    await until(carol.client, () => carol.client.store.conversation(id)?.unreadMentions === 1);
  });

  /** The list follows the log; asked again until it has come so far. */
  async function listed(
    { client }: Person,
    matches: (entry: { messageId: string }) => boolean,
  ): Promise<void> {
    const isThere = async () => (await client.api.listNotifications()).items.some(matches);
    const told = client.realtime.once('notification:created', ({ notification }) => matches(notification));
    if (!(await isThere())) await told;
  }
});

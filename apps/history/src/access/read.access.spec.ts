import { randomUUID } from 'node:crypto';
import { until } from '@parley/testing';
import { HeadWatch } from '../feed/head.watch';
import { World } from '../testing/world';

let world: World;
let history: World['history'];
let peer: World['peer'];
let alice: string;
let bob: string;
let mallory: string;

beforeAll(async () => {
  world = await World.start();
  ({ history, peer, alice, bob, mallory } = world);
});

afterAll(() => world.stop());

beforeEach(() => {
  peer.asked = [];
});

describe('permissions', () => {
  const reads = (id: string, messageId: string) => [
    `/v1/conversations/${id}/messages`,
    `/v1/conversations/${id}/messages/${messageId}`,
    `/v1/conversations/${id}/messages/${messageId}/thread`,
    `/v1/conversations/${id}/pins`,
  ];

  it('hide a conversation from whoever is not in it, as if it did not exist', async () => {
    const id = world.talk(1);
    const message = world.message(id, 1);
    await world.settled(id);

    const [hidden, missing] = await Promise.all(
      [reads(id, message.id), reads(randomUUID(), message.id)].map((paths) =>
        Promise.all(paths.map((path) => history.get(mallory, path))),
      ),
    );

    const seen = (answers: typeof hidden = []) =>
      answers.map(({ status, body }) => [status, { ...body, requestId: undefined }]);
    expect(seen(hidden)).toEqual(seen(missing));
    for (const { status } of hidden ?? []) expect(status).toBe(404);
  });

  it('let everybody preview a public channel, until it becomes private', async () => {
    const id = peer.log.create('channel', [alice], { visibility: 'public' });
    const message = peer.log.send(id, alice, 'for all');
    await world.settled(id);
    peer.asked = [];
    for (const path of reads(id, message.id)) expect((await history.get(mallory, path)).status).toBe(200);
    expect(peer.asked).toEqual([]);

    peer.log.publish(id, 'private');
    await world.settled(id);

    for (const path of reads(id, message.id)) expect((await history.get(mallory, path)).status).toBe(404);
  });

  it('end with the membership', async () => {
    const id = world.talk(1);
    await world.settled(id);
    expect((await history.get(bob, `/v1/conversations/${id}/messages`)).status).toBe(200);

    peer.log.removeMember(id, bob);
    await world.settled(id);

    expect((await history.get(bob, `/v1/conversations/${id}/messages`)).status).toBe(404);
  });

  it('end with the membership for whoever waits for what comes after it, too', async () => {
    const id = world.talk(1);
    await world.settled(id);
    const { version } = peer.log.of(id).conversation;
    const reach = jest.spyOn(history.service.app.get(HeadWatch), 'reach');
    const waiting = history.get(bob, `/v1/conversations/${id}/messages?atLeast=${version + 2}`);
    await until('he may read, and waits', () => reach.mock.calls.some(([waitedFor]) => waitedFor === id));
    peer.log.removeMember(id, bob);
    peer.log.send(id, alice, 'without bob');
    peer.publish();

    expect(await waiting).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('end with the conversation', async () => {
    const id = world.talk(1);
    await world.settled(id);
    peer.log.deleteConversation(id);
    peer.publish();

    await until('the conversation is gone', async () => {
      const { status } = await history.get(alice, `/v1/conversations/${id}/messages`);
      if (status !== 404) expect(status).toBe(200);
      return status === 404;
    });
  });

  it('ask messaging once before they refuse, for the event may be on its way', async () => {
    const id = world.talk(1);
    await world.settled(id);
    peer.log.addMember(id, mallory);
    peer.asked = [];

    const { status } = await history.get(mallory, `/v1/conversations/${id}/messages`);

    expect(status).toBe(200);
    expect(peer.asked).toEqual([{ userId: mallory, conversationIds: [id] }]);
  });

  it('need a token', async () => {
    const id = world.talk(1);
    for (const path of reads(id, randomUUID())) {
      expect(await history.get(undefined, path)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated' },
      });
    }
    expect((await history.post(undefined, '/v1/sync', {})).status).toBe(401);
  });
});

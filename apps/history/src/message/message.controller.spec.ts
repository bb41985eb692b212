import { randomUUID } from 'node:crypto';
import type { Message, MessagePage } from '@parley/contracts';
import { describeStores } from '../testing/store';
import { World } from '../testing/world';

describeStores('messages', (kind) => {
  let world: World;
  let history: World['history'];
  let peer: World['peer'];
  let alice: string;
  let bob: string;

  beforeAll(async () => {
    world = await World.start(kind);
    ({ history, peer, alice, bob } = world);
  });

  afterAll(() => world.stop());

  const numbers = (page: { items: Message[] }) => page.items.map((message) => message.number);

  describe('pages', () => {
    it('are the newest without anything asked, and reach back', async () => {
      const id = world.talk(120);
      await world.settled(id);

      const newest = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
      expect(newest.status).toBe(200);
      expect(newest.body).toMatchObject({ hasBefore: true, hasAfter: false });
      expect(newest.body.items).toEqual([...peer.log.of(id).messages.values()].slice(70));

      const before = await history.get<MessagePage>(
        bob,
        `/v1/conversations/${id}/messages?before=71&limit=100`,
      );
      expect(before.body).toMatchObject({ hasBefore: false, hasAfter: true });
      expect(numbers(before.body)).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
    });

    it.each([
      ['before=1', [], false, true],
      ['before=4&limit=2', [2, 3], true, true],
      ['before=99', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false, false],
      ['after=0&limit=3', [1, 2, 3], false, true],
      ['after=8', [9, 10], true, false],
      ['after=10', [], true, false],
      ['around=5&limit=3', [4, 5, 6], true, true],
      ['around=1&limit=4', [1, 2, 3, 4], false, true],
      ['around=10&limit=4', [7, 8, 9, 10], true, false],
      ['around=0&limit=2', [1, 2], false, true],
      ['around=999&limit=2', [9, 10], true, false],
      ['limit=100', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false, false],
    ])('%s', async (query, expected, hasBefore, hasAfter) => {
      const id = world.talk(10);
      await world.settled(id);

      const { body } = await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages?${query}`);

      expect(numbers(body)).toEqual(expected);
      expect(body).toMatchObject({ hasBefore, hasAfter });
    });

    it('are found by time', async () => {
      const id = world.talk(10);
      await world.settled(id);
      const at = peer.log.of(id).messages.get(5)?.createdAt;
      const read = async (query: string) =>
        numbers((await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages?${query}`)).body);

      expect(await read(`at=${at}&limit=3`)).toEqual([4, 5, 6]);
      expect(await read('at=1999-01-01T00:00:00Z&limit=2')).toEqual([1, 2]);
      expect(await read('at=0000-01-01T00:00:00.000001Z&limit=2')).toEqual([1, 2]);
      expect(await read('at=2999-01-01T00:00:00Z&limit=2')).toEqual([9, 10]);
    });

    it('are empty in a new conversation', async () => {
      const id = world.talk(0);
      await world.settled(id);

      for (const query of ['', '?before=5', '?after=5', '?around=5', '?at=2026-01-01T00:00:00Z']) {
        const { body } = await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages${query}`);
        expect(body).toEqual({ items: [], hasBefore: false, hasAfter: false });
      }
    });

    it('wait for the version asked for, and say so when it does not come', async () => {
      const id = world.talk(1);
      await world.settled(id);
      const path = `/v1/conversations/${id}/messages`;

      const waiting = history.get<MessagePage>(alice, `${path}?atLeast=3`);
      peer.log.send(id, bob, 'late');
      peer.publish();
      expect(numbers((await waiting).body)).toEqual([1, 2]);

      const refused = await history.get(alice, `${path}?atLeast=900000`);
      expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      expect(refused.headers.get('retry-after')).not.toBeNull();
    });
  });

  describe('one message', () => {
    it('comes with its thread', async () => {
      const id = world.talk(1);
      const root = world.message(id, 1);
      const replies = [1, 2, 3].map((i) => peer.log.send(id, bob, `reply ${i}`, { threadId: root.id }));
      await world.settled(id);
      const path = `/v1/conversations/${id}/messages/${root.id}`;

      expect((await history.get<object>(bob, path)).body).toEqual({ message: root });
      const first = await history.get<{ items: Message[]; nextCursor: string }>(
        bob,
        `${path}/thread?limit=2`,
      );
      expect(first.body.items).toEqual(replies.slice(0, 2));
      const second = await history.get<object>(bob, `${path}/thread?limit=2&cursor=${first.body.nextCursor}`);
      expect(second.body).toEqual({ items: replies.slice(2), nextCursor: null });
    });

    it('is not found in another conversation, nor when it does not exist', async () => {
      const id = world.talk(1);
      const other = world.talk(1);
      const foreign = world.message(other, 1);
      await world.settled(id);
      await world.settled(other);

      for (const path of [foreign.id, randomUUID(), `${randomUUID()}/thread`]) {
        const answer = await history.get(alice, `/v1/conversations/${id}/messages/${path}`);
        expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
      }
    });

    it('is a tombstone once it is deleted', async () => {
      const id = world.talk(1);
      const gone = peer.log.deleteMessage(id, 1);
      await world.settled(id);

      const { body } = await history.get<{ message: Message }>(
        alice,
        `/v1/conversations/${id}/messages/${gone.id}`,
      );

      expect(body.message).toEqual(gone);
      expect(body.message.body).toBeNull();
    });
  });

  it('lists pins, the newest message first', async () => {
    const id = world.talk(5);
    for (const number of [4, 1, 3]) peer.log.pin(id, number, true);
    await world.settled(id);
    const path = `/v1/conversations/${id}/pins`;

    const first = await history.get<{ items: Message[]; nextCursor: string }>(alice, `${path}?limit=2`);
    expect(numbers(first.body)).toEqual([4, 3]);
    const second = await history.get<{ items: Message[] }>(alice, `${path}?cursor=${first.body.nextCursor}`);
    expect(numbers(second.body)).toEqual([1]);
  });
});

import type { Message, MessagePage, Problem, SyncResult } from '@parley/contracts';
import { until } from '@parley/testing';
import { describeStores } from './testing/store';
import { World } from './testing/world';

describeStores('history', (kind) => {
  let world: World;
  let history: World['history'];
  let peer: World['peer'];
  let alice: string;
  let bob: string;
  let mallory: string;

  beforeAll(async () => {
    world = await World.start(kind);
    ({ history, peer, alice, bob, mallory } = world);
  });

  afterAll(() => world.stop());

  const numbers = (page: { items: Message[] }) => page.items.map((message) => message.number);

  describe('sync over HTTP', () => {
    it('puts the conversations and the account together', async () => {
      const id = world.talk(3);
      const left = peer.log.create('group', [bob]);
      await world.settled(id);

      const { status, body } = await history.post<SyncResult>(alice, '/v1/sync', {
        epoch: peer.epoch,
        accountCursor: 'cursor-1',
        versions: { [id]: 2, [left]: 1 },
      });

      expect(status).toBe(200);
      expect(body).toEqual({
        epoch: peer.epoch,
        account: { cursor: 'cursor-2', more: false, changes: [] },
        conversations: [
          {
            id,
            version: 4,
            head: 4,
            more: false,
            reset: false,
            messages: [...peer.log.of(id).messages.values()].slice(1),
            members: [],
            membersRemoved: [],
          },
        ],
        removed: [left],
      });
    });

    it('asks for all of the account when the epoch is another', async () => {
      const foreign = peer.log.create('group', [bob]);

      const { body } = await history.post<SyncResult>(alice, '/v1/sync', {
        epoch: 'another',
        accountCursor: 'cursor-1',
        versions: {},
      });

      expect(body.account.changes).toContainEqual({ state: 'left', conversationId: foreign });
    });
  });

  describe('trouble', () => {
    it('a broken event makes its conversation alone unavailable', async () => {
      const id = world.talk(1);
      const other = world.talk(1);
      await world.settled(id);
      peer.breakEvent(id, { kind: 'message.created', version: 'three' });
      peer.log.send(other, alice, 'goes on');
      await world.settled(other);
      peer.publish();

      const refusal = await until('the conversation is refused', async () => {
        const answer = await history.get<Problem>(alice, `/v1/conversations/${id}/messages`);
        return answer.status === 503 && answer.body;
      });
      expect(refusal.code).toBe('unavailable');
      expect((await history.get(mallory, `/v1/conversations/${id}/messages`)).status).toBe(404);
      await history.shows('history_parked_events', 1);
      const { body } = await history.post<SyncResult>(alice, '/v1/sync', {
        epoch: peer.epoch,
        accountCursor: null,
        versions: { [id]: 1, [other]: 0 },
      });
      expect(body.conversations).toMatchObject([
        { id, version: 1, more: true, retryAfterMs: expect.any(Number), messages: [] },
        { id: other, version: 3, more: false },
      ]);
    });

    it('a lost event is fetched from the log', async () => {
      const id = world.talk(1);
      await world.settled(id);
      peer.log.send(id, alice, 'lost');
      peer.skip();
      peer.log.send(id, alice, 'heard');

      await world.settled(id);

      const { body } = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
      expect(numbers(body)).toEqual([1, 2, 3]);
    });

    it.each(['cut', 'freeze'] as const)(
      'a store that is gone (%s) is said so, and comes back',
      async (outage) => {
        const id = world.talk(1);
        await world.settled(id);
        const parked = await until('it is counted what is parked', async () => {
          const count = await history.metric('history_parked_events');
          return Number.isNaN(count) ? undefined : { count };
        });

        await world.store[outage]();
        const started = performance.now();
        const answer = await history.get(alice, `/v1/conversations/${id}/messages`);
        expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
        expect(performance.now() - started).toBeLessThan(2500);
        expect(
          (await history.post(alice, '/v1/sync', { epoch: null, accountCursor: null, versions: { [id]: 0 } }))
            .status,
        ).toBe(503);
        await history.ready(503);
        expect(await history.metric('history_parked_events')).toBe(parked.count);
        peer.log.send(id, bob, 'while you were away');
        peer.publish();

        await world.store.restore();
        await history.ready(200);
        await world.settled(id);
        const { body } = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
        expect(numbers(body)).toEqual([1, 2]);
      },
    );

    it('without the broker, members read on and strangers hear that it is unavailable', async () => {
      const id = world.talk(1);
      await world.settled(id);
      const path = `/v1/conversations/${id}/messages`;

      await world.broker.cut();
      await history.ready(503);
      expect((await history.get(alice, path)).status).toBe(200);
      expect(await history.get(mallory, path)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      const payload = { epoch: peer.epoch, accountCursor: null, versions: { [id]: 1 } };
      expect(await history.post(alice, '/v1/sync', payload)).toMatchObject({
        status: 503,
        body: { code: 'unavailable' },
      });
      peer.log.send(id, bob, 'while you were away');
      peer.publish();

      await world.broker.restore();
      await history.ready(200);
      await world.settled(id);
      expect((await history.post(alice, '/v1/sync', payload)).status).toBe(200);
      expect((await history.get(mallory, path)).status).toBe(404);
    });
  });
});

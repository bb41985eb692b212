import { randomUUID } from 'node:crypto';
import type { MessagePage, QueryReply } from '@parley/contracts';
import { laneOf, partitionOf } from '@parley/contracts';
import { freshVhost, until } from '@parley/testing';
import { HistoryUnderTest } from '../testing/history';
import { MessagingPeer } from '../testing/messaging.peer';
import { sabotage, type Sabotage } from '../testing/sabotage';
import { describeStores, openTestStore, type StoreEnvironment } from '../testing/store';
import { FeedRunner } from './feed.runner';
import { replayParked } from './parked.replay';

describeStores('the feed', ({ fresh, itRefusing }) => {
  let environment: StoreEnvironment;
  let amqpUrl: string;
  let damage: Sabotage;
  let peer: MessagingPeer;
  let instances: HistoryUnderTest[];

  const alice = randomUUID();
  const bob = randomUUID();

  beforeEach(async () => {
    environment = await fresh();
    amqpUrl = await freshVhost();
    peer = await MessagingPeer.start(amqpUrl);
    instances = [];
    await start();
    damage = await sabotage(environment);
  });

  afterEach(async () => {
    await damage.end();
    for (const instance of instances) await instance.service.close();
    await peer.stop();
  });

  async function start(): Promise<HistoryUnderTest> {
    const instance = await HistoryUnderTest.start(environment, amqpUrl);
    instances.push(instance);
    await instance.ready(200);
    return instance;
  }

  const first = () => instances[0] as HistoryUnderTest;

  async function numbers(id: string, atLeast: number, instance = first()): Promise<number[]> {
    const path = `/v1/conversations/${id}/messages?atLeast=${atLeast}`;
    return until(`the view has version ${atLeast}`, async () => {
      const { status, body } = await instance.get<MessagePage>(alice, path);
      if (status === 200) return body.items.map((message) => message.number);
      if (status !== 503) throw new Error(`the view answered ${status}`);
      return undefined;
    });
  }

  it('answers realtime over the broker', async () => {
    const id = peer.log.create('group', [alice, bob]);
    peer.log.send(id, bob, 'hello');
    peer.publish();
    await numbers(id, 2);
    const ask = { userId: alice, epoch: peer.epoch, versions: { [id]: 1 }, limit: 10 };

    const reply: QueryReply<'history.sync'> = await peer.requester.query('history.sync', ask);

    expect(reply).toMatchObject({ epoch: peer.epoch, removed: [] });
    expect(reply.conversations).toMatchObject([{ id, version: 2, messages: [{ body: 'hello' }] }]);
    await expect(
      peer.requester.query('history.sync', { ...ask, versions: { x: 1 } } as never),
    ).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('starts afresh when a backup was restored', async () => {
    const old = peer.log.create('group', [alice, bob]);
    peer.log.send(old, bob, 'lost with the restore');
    peer.publish();
    await numbers(old, 2);

    peer.restore('epoch-2');
    const id = peer.log.create('group', [alice, bob]);
    peer.log.send(id, bob, 'of the new epoch');
    peer.publish();
    peer.announceHeads();

    await until('the view is of the new epoch', async () => {
      peer.announceHeads();
      const ask = { userId: alice, epoch: 'epoch-1', versions: { [id]: 0, [old]: 2 }, limit: 10 };
      const { epoch, conversations, removed } = await peer.requester.query('history.sync', ask);
      const [delta] = conversations;
      if (epoch !== 'epoch-2' || !delta || delta.version !== 2) return false;
      expect(delta).toMatchObject({ id, reset: true, messages: [{ body: 'of the new epoch' }] });
      expect(removed).toEqual([old]);
      return true;
    });
  });

  it('gives no message of a batch that is being written, where later ones may come before earlier ones', async () => {
    const id = peer.log.create('group', [alice, bob]);
    const root = peer.log.send(id, bob, 'one');
    peer.publish();
    await numbers(id, 2);
    peer.log.send(id, bob, 'two', { threadId: root.id });
    await damage.writeAlone(peer.log.send(id, bob, 'three', { threadId: root.id, pinned: true }));
    // Else the feed reads the batch from the log if it takes its lanes anew meanwhile.
    const log = peer.log.rows.get(partitionOf(id));
    const batch = log?.splice(-2) ?? [];
    const pages = ['messages', 'messages?after=0', 'messages?before=9', 'messages?around=3'];
    const read = (list: string) => first().get<MessagePage>(alice, `/v1/conversations/${id}/${list}`);

    for (const list of pages)
      expect((await read(list)).body).toEqual({ items: [root], hasBefore: false, hasAfter: false });
    for (const list of ['pins', `messages/${root.id}/thread`])
      expect((await read(list)).body).toEqual({ items: [], nextCursor: null });

    log?.push(...batch);
    peer.publish();
    expect(await numbers(id, 4)).toEqual([1, 2, 3]);
  });

  it('lets nobody read what is left of a former epoch', async () => {
    const id = peer.log.create('group', [alice, bob]);
    peer.log.send(id, bob, 'hello');
    peer.publish();
    await numbers(id, 2);
    const path = `/v1/conversations/${id}/messages`;

    for (const epoch of ['', 'epoch-0']) {
      await damage.date(id, epoch);
      expect(await first().get(alice, path)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    }
    await damage.date(id, peer.epoch);
    expect((await first().get(alice, path)).status).toBe(200);
  });

  itRefusing(
    'parks what the store itself refuses, alone of its batch, and takes it when it is mended',
    async () => {
      await damage.refuse('poison');
      const id = peer.log.create('group', [alice, bob]);
      const others = Array.from({ length: 5 }, () => peer.log.create('group', [alice, bob]));
      for (const other of others) peer.log.send(other, bob, 'before');
      peer.log.send(id, bob, 'poison');
      for (const other of others) peer.log.send(other, bob, 'after');
      peer.publish();

      for (const other of others) expect(await numbers(other, 3)).toEqual([1, 2]);
      await first().shows('history_parked_events', 1);
      const path = `/v1/conversations/${id}/messages`;
      expect((await first().get(alice, path)).status).toBe(503);

      const { feed: store, close } = await openTestStore(environment);
      const replayed = { partition: partitionOf(id), conversationId: id };
      expect(await replayParked(store)).toMatchObject([
        {
          ...replayed,
          reason: expect.stringMatching(/^refused by the store: (SQLSTATE 23514|MongoDB code 121)$/),
        },
      ]);
      await damage.accept();
      expect(await replayParked(store, others[0])).toEqual([]);
      expect(await replayParked(store, id)).toEqual([{ ...replayed, position: expect.any(Number) }]);
      await close();

      expect(await numbers(id, 2)).toEqual([1]);
      await first().shows('history_parked_events', 0);
    },
  );

  itRefusing('takes up by itself what another release parked, when an instance takes its lane', async () => {
    await damage.refuse('of a later release');
    const id = peer.log.create('group', [alice, bob]);
    peer.log.send(id, bob, 'of a later release');
    peer.publish();
    const { feed: store, close } = await openTestStore(environment);
    await until('the event is parked', async () => (await store.parked(1, id)).length === 1);
    await close();
    await damage.accept();
    const later = await start();
    expect(await numbers(id, 2)).toEqual([1]);
    await later.service.close();
    instances.pop();
  });

  it('gets again from the log what its store has lost', async () => {
    const id = peer.log.create('group', [alice, bob]);
    peer.log.send(id, bob, 'one');
    peer.log.send(id, bob, 'two');
    peer.publish();
    await numbers(id, 3);
    await damage.lose(id, 2);
    peer.log.send(id, bob, 'three');
    peer.publish();
    expect(await numbers(id, 4)).toEqual([1, 2, 3]);

    // Nothing comes that would tell: the feed looks by itself.
    await damage.lose(id, 3);
    expect(await numbers(id, 4)).toEqual([1, 2, 3]);
  });

  it('serves every conversation from every instance, and hands lanes over without loss', async () => {
    const second = await start();
    await until('both have lanes, together all', () => {
      const lanes = instances.map((instance) => instance.service.app.get(FeedRunner).lanes());
      return lanes.every((own) => own.length > 0) && new Set(lanes.flat()).size === 16;
    });
    const ids = Array.from({ length: 12 }, () => peer.log.create('group', [alice, bob]));
    expect(new Set(ids.map((id) => laneOf(partitionOf(id)))).size).toBeGreaterThan(1);
    const waiting = ids.flatMap((id) => instances.map((instance) => numbers(id, 2, instance)));
    for (const id of ids) peer.log.send(id, bob, 'to all');
    peer.publish();
    for (const seen of await Promise.all(waiting)) expect(seen).toEqual([1]);

    for (const id of ids) peer.log.send(id, bob, 'meanwhile');
    peer.publish();
    await second.service.close();
    instances.pop();
    for (const id of ids) peer.log.send(id, bob, 'after');
    peer.publish();

    for (const id of ids) expect(await numbers(id, 4)).toEqual([1, 2, 3]);
  });
});

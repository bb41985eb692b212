import { randomUUID } from 'node:crypto';
import type { MessagePage, QueryReply } from '@parley/contracts';
import { laneOf, partitionOf } from '@parley/contracts';
import { freshDatabase, freshVhost } from '@parley/testing';
import { Client } from 'pg';
import { HistoryUnderTest } from '../testing/history';
import { MessagingPeer } from '../testing/messaging.peer';
import { openTestStore } from '../testing/store';
import { FeedRunner } from './feed.runner';
import { replayParked } from './parked.replay';

let databaseUrl: string;
let amqpUrl: string;
let database: Client;
let peer: MessagingPeer;
let instances: HistoryUnderTest[];

const alice = randomUUID();
const bob = randomUUID();

beforeEach(async () => {
  databaseUrl = await freshDatabase();
  amqpUrl = await freshVhost();
  peer = await MessagingPeer.start(amqpUrl);
  instances = [];
  await start();
  database = new Client({ connectionString: databaseUrl, options: '-c search_path=history' });
  await database.connect();
});

afterEach(async () => {
  await database.end();
  for (const instance of instances) await instance.service.close();
  await peer.stop();
});

async function start(): Promise<HistoryUnderTest> {
  const instance = await HistoryUnderTest.start(databaseUrl, amqpUrl);
  instances.push(instance);
  await instance.ready(200);
  return instance;
}

const first = () => instances[0] as HistoryUnderTest;

async function numbers(id: string, atLeast: number, instance = first()): Promise<number[]> {
  const path = `/v1/conversations/${id}/messages?atLeast=${atLeast}`;
  for (;;) {
    const { status, body } = await instance.get<MessagePage>(alice, path);
    if (status === 200) return body.items.map((message) => message.number);
    if (status !== 503) throw new Error(`the view answered ${status}`);
  }
}

/** Resolves once the instance says so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
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

  await until(async () => {
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

it('parks what the store itself refuses, alone of its batch, and takes it when it is mended', async () => {
  await database.query(`alter table messages add constraint no_poison check (body->>'body' <> 'poison')`);
  const id = peer.log.create('group', [alice, bob]);
  const others = Array.from({ length: 5 }, () => peer.log.create('group', [alice, bob]));
  for (const other of others) peer.log.send(other, bob, 'before');
  peer.log.send(id, bob, 'poison');
  for (const other of others) peer.log.send(other, bob, 'after');
  peer.publish();

  for (const other of others) expect(await numbers(other, 3)).toEqual([1, 2]);
  await until(async () => (await first().metric('history_parked_events_total')) > 0);
  const path = `/v1/conversations/${id}/messages`;
  expect((await first().get(alice, path)).status).toBe(503);

  const { feed: store, close } = await openTestStore(databaseUrl);
  const replayed = { partition: partitionOf(id), conversationId: id };
  expect(await replayParked(store)).toMatchObject([
    { ...replayed, reason: 'refused by the store: SQLSTATE 23514' },
  ]);
  await database.query('alter table messages drop constraint no_poison');
  expect(await replayParked(store, others[0])).toEqual([]);
  expect(await replayParked(store, id)).toEqual([{ ...replayed, position: expect.any(Number) }]);
  await close();

  expect(await numbers(id, 2)).toEqual([1]);
});

it('takes up by itself what another release parked, when an instance takes its lane', async () => {
  await database.query(
    `alter table messages add constraint no_poison check (body->>'body' <> 'of a later release')`,
  );
  const id = peer.log.create('group', [alice, bob]);
  peer.log.send(id, bob, 'of a later release');
  peer.publish();
  const isParked = async () =>
    (await database.query('select 1 from parked where conversation_id = $1', [id])).rowCount === 1;
  await until(isParked);
  await database.query('alter table messages drop constraint no_poison');
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
  /** As a crash of the server would, with writes that had not reached the disk. */
  const loseMessage = async (number: number) => {
    await database.query('delete from messages where number = $1', [number]);
    await database.query('update conversations set head = $1::bigint, message_count = $1::bigint - 1', [
      number,
    ]);
    await database.query('update applied set position = position - 1 where partition = $1', [
      partitionOf(id),
    ]);
  };

  await loseMessage(2);
  peer.log.send(id, bob, 'three');
  peer.publish();
  expect(await numbers(id, 4)).toEqual([1, 2, 3]);

  await loseMessage(3);
  await first().service.app.get(FeedRunner).check();
  expect(await numbers(id, 4)).toEqual([1, 2, 3]);
});

it('serves every conversation from every instance, and hands lanes over without loss', async () => {
  const second = await start();
  await until(() => {
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

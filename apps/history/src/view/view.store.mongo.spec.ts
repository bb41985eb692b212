import { randomUUID } from 'node:crypto';
import { PARTITIONS } from '@parley/contracts';
import { describeMongo, itOnMongo, testMongo } from '@parley/testing';
import { type Connection, createConnection } from 'mongoose';
import type { OpenStores } from '../store.kind';
import { LogWriter } from '../testing/log';
import { openTestStore } from '../testing/store';
import { type Collections, collectionsOf, keyOf, scopeOf } from './mongo.documents';
import { raise } from './mongo.raise';
import { RowsRefused } from './view.store';
import { soundRows } from './view.store.contract';

/** What the contract cannot say of every store: torn batches, late writers, and what MongoDB itself checks. */
describeMongo('the view in MongoDB, alone', () => {
  const [alice, bob] = [randomUUID(), randomUUID()];
  const all = [...Array(PARTITIONS).keys()];
  let store: OpenStores;
  let connection: Connection;
  let collections: Collections;
  let log: LogWriter;
  let epoch: string;

  beforeAll(async () => {
    const { url } = await testMongo();
    store = await openTestStore({ MESSAGE_STORE: 'mongodb', MONGODB_URL: url });
    connection = await createConnection(url).asPromise();
    collections = collectionsOf(connection.getClient().db());
  });

  afterAll(async () => {
    await connection.close();
    await store.close();
  });

  beforeEach(async () => {
    epoch = randomUUID();
    await store.feed.load(all, epoch);
    log = new LogWriter();
  });

  const apply = (of = epoch) => store.feed.apply(soundRows(log.all()), [], of);
  const generation = async () => (await collections.applied.findOne())?.generation ?? 0;
  const messages = (conversationId: string) =>
    store.view.messages({ conversationId, newest: false, limit: 10 });

  it('completes a batch that broke off after any stage, and shows no head before', async () => {
    const id = log.create('group', [alice, bob]);
    const message = log.send(id, alice, 'hello');
    const scope = scopeOf(id, await generation());
    await apply();
    // As it was when only the entities had been written, not all of them.
    await collections.applied.updateMany({}, { $set: { position: 0 } });
    await collections.conversations.updateOne({ _id: scope }, { $set: { head: 0, messageCount: 0 } });
    await collections.members.deleteMany({ scope });
    expect(await store.view.standings(alice, [id])).toEqual(new Map());

    await apply();

    expect((await store.view.standings(alice, [id])).get(id)).toMatchObject({ head: 2, isMember: true });
    expect(await messages(id)).toEqual([message]);
  });

  it('hides what a late writer of a former epoch writes, and erases it', async () => {
    const id = log.create('group', [alice, bob]);
    log.send(id, alice, 'of the former epoch');
    await apply();
    const scope = scopeOf(id, await generation());

    await store.feed.load(all, randomUUID());
    await collections.messages.updateOne({ _id: keyOf(scope, 1) }, { $set: { version: 900 } });

    expect(await messages(id)).toEqual([]);
    while (await store.feed.erase()) continue;
    expect(await collections.messages.countDocuments({ scope })).toBe(0);
    expect(await collections.conversations.countDocuments({ _id: scope })).toBe(0);
  });

  it('keeps the newer of two that are new, whichever is inserted first', async () => {
    const state = (version: number) => {
      const _id = keyOf('scope', 1);
      const fields = { scope: 'scope', id: 'id', version, createdAt: new Date(0), body: `${version}` };
      return {
        document: { _id, ...fields },
        older: { _id, scope: 'scope', version: { $lt: version } },
        update: { $set: { version, body: `${version}` } },
        isNew: true,
      };
    };
    for (const version of [4, 5, 3]) await raise(collections.messages, [state(version)]);

    expect(await collections.messages.findOne({ scope: 'scope' })).toMatchObject({ version: 5, body: '5' });
  });

  it('takes the same rows again, from another instance', async () => {
    const id = log.create('group', [alice, bob]);
    for (let i = 1; i <= 5; i += 1) log.send(id, alice, `message ${i}`);
    log.edit(id, 1, 'edited');
    for (let i = 0; i < 3; i += 1) await apply();

    expect(await messages(id)).toEqual([...log.of(id).messages.values()]);
    expect((await store.view.heads([id])).get(id)).toBe(7);
  });

  // FerretDB's updates are not atomic.
  itOnMongo('takes rows from several instances at once', async () => {
    const id = log.create('group', [alice, bob]);
    for (let i = 1; i <= 5; i += 1) log.send(id, alice, `message ${i}`);
    log.edit(id, 1, 'edited');
    await Promise.all([apply(), apply(), apply()]);

    expect(await messages(id)).toEqual([...log.of(id).messages.values()]);
    expect((await store.view.heads([id])).get(id)).toBe(7);
  });

  it('refuses what fits no document, and parks even that', async () => {
    const id = log.create('group', [alice, bob]);
    log.send(id, alice, 'x'.repeat(17 * 1024 * 1024));
    await expect(apply()).rejects.toThrow(RowsRefused);

    const [rows] = soundRows(log.all());
    if (!rows) throw new Error('There are no rows.');
    const { partition } = rows;
    const event = rows.rows[1];
    const parked = { partition, position: 2, conversationId: id, reason: 'too large', event };
    await store.feed.apply([{ ...rows, rows: rows.rows.slice(0, 1) }], [parked], epoch);

    expect(await store.feed.parked(1, id)).toMatchObject([{ position: 2, event: null }]);
  });

  itOnMongo('lets the server check what is written', async () => {
    const broken = { _id: 'x', scope: 1, body: 'without the rest' } as never;
    await expect(collections.messages.insertOne(broken)).rejects.toMatchObject({ code: 121 });
  });
});

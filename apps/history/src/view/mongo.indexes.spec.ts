import { randomUUID } from 'node:crypto';
import { partitionOf, PARTITIONS } from '@parley/contracts';
import { describeMongo, itOnMongo, testMongo } from '@parley/testing';
import { mongo } from 'mongoose';
import { LogWriter } from '../testing/log';
import { openTestStore } from '../testing/store';
import { collectionPlans, indexes } from './mongo.documents';
import { soundRows } from './view.store.contract';
import { MongoViewStore } from './view.store.mongo';
import { MongoViewFeedStore } from './view.store.mongo.feed';

/** One condition with the index that was asked for, as the driver sent it. */
interface Asked {
  collection: string;
  filter: mongo.Document;
  hint?: mongo.Document;
  /** Where it can be explained. */
  explainable?: mongo.Document;
}

describeMongo('what the view asks of MongoDB', () => {
  const [alice, bob] = [randomUUID(), randomUUID()];
  let client: mongo.MongoClient;
  let asked: Asked[];

  beforeAll(async () => {
    const { url } = await testMongo();
    await (await openTestStore({ MESSAGE_STORE: 'mongodb', MONGODB_URL: url })).close();
    client = await new mongo.MongoClient(url, { monitorCommands: true }).connect();
    asked = [];
    client.on('commandStarted', ({ command }) => asked.push(...conditionsOf(command)));
    await useEverything(new MongoViewFeedStore(client), new MongoViewStore(client));
  });

  afterAll(() => client.close());

  it('goes by the key of a document, or by an index that is there', async () => {
    const collections = await client.db().collections();
    const made = new Map<string, string[]>();
    for (const collection of collections) {
      const keys = (await collection.indexes()).map(({ key }) => JSON.stringify(key));
      made.set(collection.collectionName, keys);
    }
    expect(asked.length).toBeGreaterThan(30);
    const astray = asked.filter(
      ({ collection, filter, hint }) =>
        !('_id' in filter) && !(hint && made.get(collection)?.includes(JSON.stringify(hint))),
    );
    expect(astray).toEqual([]);
  });

  it('says on which shard of a cluster it is, but for what is erased wherever it lies', async () => {
    const shardKeys = new Map<string, string>();
    for (const [name, { shardKey }] of await collectionPlans())
      if (shardKey) shardKeys.set(name, Object.keys(shardKey)[0]!);
    const sharded = asked.filter(({ collection }) => shardKeys.has(collection));
    expect(new Set(sharded.map(({ collection }) => collection))).toEqual(new Set(shardKeys.keys()));
    const scattered = sharded.filter(
      ({ collection, filter }) => !namesOne(filter, shardKeys.get(collection)!),
    );
    expect(scattered.filter(({ hint }) => !isOneOf(hint, [indexes.byHome, indexes.toErase]))).toEqual([]);
  });

  itOnMongo('never makes the server look through a collection', async () => {
    for (const { explainable } of asked) {
      if (!explainable) continue;
      const plan = await client.db().command({ explain: explainable, verbosity: 'queryPlanner' });
      // A pipeline may have one for each of its stages.
      const ways = plan['stages'] ?? plan['queryPlanner'].winningPlan;
      expect(JSON.stringify(ways)).not.toContain('COLLSCAN');
    }
  });

  /** Every method of both halves, with everything that it can be asked for. */
  async function useEverything(feed: MongoViewFeedStore, view: MongoViewStore): Promise<void> {
    const all = [...Array(PARTITIONS).keys()];
    const log = new LogWriter();
    const [first, second] = [log.create('group', [alice, bob]), log.create('group', [alice, bob])];
    for (let i = 1; i <= 5; i += 1) log.send(first, alice, `message ${i}`);
    log.edit(first, 1, 'edited');
    log.send(second, bob, 'elsewhere');
    const epoch = randomUUID();
    await feed.load(all, epoch);
    // The last change of the first conversation is parked, and taken later.
    const rows = soundRows(log.all());
    const home = rows.find(({ partition }) => partition === partitionOf(first))!;
    const event = home.rows.pop()!;
    const { partition, last: position } = home;
    const parked = { partition, position, conversationId: first, reason: 'a test', event };
    await feed.apply(rows, [parked], epoch);
    await feed.positions(all, epoch);
    await feed.parked(10);
    await feed.parked(10, first);
    await feed.countParked(10);
    await feed.unpark(partition, event);
    await view.standings(alice, [first, second]);
    await view.heads([first, second]);
    await view.changes([{ conversationId: first, above: 0 }], 3);
    await view.changes(
      [
        { conversationId: first, above: 2 },
        { conversationId: second, above: 0 },
      ],
      1000,
    );
    await view.members([first, second]);
    const [message] = await view.messages({ conversationId: first, newest: true, limit: 2 });
    for (const newest of [true, false]) {
      await view.messages({ conversationId: first, above: 1, newest, limit: 2 });
      await view.messages({ conversationId: first, below: 4, newest, limit: 2 });
      await view.messages({ conversationId: first, threadId: message!.id, newest, limit: 2 });
      await view.messages({ conversationId: first, pinned: true, newest, limit: 2 });
    }
    await view.message(first, message!.id);
    await view.numberAt(first, new Date().toISOString());
    await feed.load(all, randomUUID());
    while (await feed.erase()) continue;
  }
});

/** Whether a filter names one or several values of a field: of a range of a hashed key every shard has a part. */
function namesOne(filter: mongo.Document, field: string): boolean {
  const alternatives = filter['$or'] as mongo.Document[] | undefined;
  if (alternatives) return alternatives.every((alternative) => namesOne(alternative, field));
  return typeof filter[field] === 'string' || Array.isArray(filter[field]?.$in);
}

function isOneOf(hint: mongo.Document | undefined, keys: object[]): boolean {
  return keys.some((key) => JSON.stringify(key) === JSON.stringify(hint));
}

/** The conditions of a command of the driver. */
function conditionsOf(command: mongo.Document): Asked[] {
  if (command['find'])
    return [
      {
        collection: command['find'],
        filter: command['filter'],
        hint: command['hint'],
        explainable: {
          find: command['find'],
          filter: command['filter'],
          hint: command['hint'],
          ...(command['sort'] ? { sort: command['sort'] } : {}),
        },
      },
    ];
  if (command['distinct'])
    // It takes no hint before MongoDB 7.1, and goes by the index of its field.
    return [
      {
        collection: command['distinct'],
        filter: command['query'],
        hint: { [command['key']]: 1 },
        explainable: { distinct: command['distinct'], key: command['key'], query: command['query'] },
      },
    ];
  if (command['aggregate']) {
    // A count.
    const { aggregate, pipeline, hint } = command;
    return [
      {
        collection: aggregate,
        filter: pipeline[0].$match,
        hint,
        explainable: { aggregate, pipeline, hint, cursor: {} },
      },
    ];
  }
  const writes = (name: 'update' | 'delete', parts: mongo.Document[] = []): Asked[] =>
    parts.map(({ q, hint }) => ({ collection: command[name], filter: q, hint }));
  if (command['update']) return writes('update', command['updates']);
  if (command['delete']) return writes('delete', command['deletes']);
  return [];
}

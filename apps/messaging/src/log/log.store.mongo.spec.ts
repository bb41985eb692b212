import { pgPool } from '@parley/service';
import { describeMongo, type TestMongo } from '@parley/testing';
import type { mongo } from 'mongoose';
import { createConnection } from 'mongoose';
import { type LogConfig, mongoConfig, type MongoTestLog, openMongoTestLog } from '../testing/test-log';
import { Writer } from '../testing/log-writer';
import { openMongoLog, startAnew } from '../store';
import { toDocument } from './log.document';
import { refuseProjectedLog, renewEpoch } from './log.origin';
import type { LogRow, LogStore } from './log.store';
import { LogBroken, PositionTaken } from './log.store';
import { ProjectionStore } from './projection.store';

describeMongo('the log in MongoDB and its projection in PostgreSQL', () => {
  let log: MongoTestLog;
  let config: LogConfig;
  let kind: TestMongo['kind'];
  let rows: mongo.Collection;

  beforeAll(async () => {
    ({ config, kind } = await mongoConfig());
    log = await openMongoTestLog(config);
    rows = log.connection.getClient().db().collection('messaging_log') as unknown as mongo.Collection;
  });
  afterAll(() => log.close());

  it('asks nothing without an index', async () => {
    const writer = new Writer(1);
    const sent = writer.sent('a');
    await log.store.append([writer.created(), sent].map((row, i) => ({ ...row, position: i + 1 })));
    const plans: [string, unknown][] = [];
    for (const { filter, ...options } of await queriesOf(log, config)) {
      // The shard key; a cluster would ask all of its shards otherwise.
      for (const part of (filter['$or'] as mongo.Document[] | undefined) ?? [filter])
        expect(part).toHaveProperty('partition', 1);
      // A mongos explains nothing that asks for a majority.
      const plan = await rows.find(filter, { ...options, readConcern: { level: 'local' } }).explain();
      plans.push([JSON.stringify(filter), indexOf(plan, kind)]);
    }
    expect(plans.map(([, index]) => index).sort()).toEqual(
      kind === 'mongodb'
        ? ['log_client_id', 'log_message', 'log_position', 'log_position', 'log_position']
        : // FerretDB says no more than whether PostgreSQL filters.
          [true, true, true, true, true],
    );
  });

  it('is refused by the database itself where a row is none', async () => {
    const attempt = rows.insertOne({ partition: 1, position: 99, event: 7 });
    if (kind === 'mongodb') await expect(attempt).rejects.toMatchObject({ code: 121 });
    else await expect(attempt).resolves.toBeDefined(); // FerretDB validates nothing.
    await rows.deleteOne({ partition: 1, position: 99 });
  });

  it('projects what a dead owner has stored and not projected, members, counters and mentions included', async () => {
    const writer = new Writer(2);
    const stored = [
      writer.created(),
      writer.renamed('Friends'),
      writer.sent('a'),
      writer.removed(writer.bob),
    ];
    const mention = { ...writer.sent('b'), mentions: [writer.alice] };
    await log.store.append(stored.slice(0, 1));
    await insertOnly([...stored.slice(1), mention]);
    expect(await log.store.positions([2])).toEqual(new Map([[2, 1]]));

    const successor = await openMongoTestLog(config);
    const { store } = successor;
    expect(await store.catchUp([2])).toEqual(new Map([[2, { position: 5, term: 1 }]]));
    expect(await store.conversations([writer.state.id])).toEqual(new Map([[writer.state.id, writer.state]]));
    expect(await store.positions([2])).toEqual(new Map([[2, 5]]));
    await successor.close();
    const mentions = await pgPool(log.source).query('select user_id, number from mentions');
    expect(mentions.rows).toEqual([{ user_id: writer.alice, number: String(mention.number) }]);
  });

  it('is caught up over many pages', async () => {
    const writer = new Writer(3);
    await insertOnly([writer.created(), ...Array.from({ length: 450 }, (_, i) => writer.sent(`m${i}`))]);
    expect(await log.store.catchUp([3])).toEqual(new Map([[3, { position: 451, term: 1 }]]));
    expect((await log.store.conversations([writer.state.id])).get(writer.state.id)).toEqual(writer.state);
  });

  it('is not moved back by what a frozen owner projects late, nor moved over a gap', async () => {
    const writer = new Writer(4);
    const [first, second, third] = [writer.created(), writer.sent('a'), writer.sent('b')];
    await log.store.append([first, second, third]);
    const projection = new ProjectionStore(pgPool(log.source));
    expect(await projection.project([second])).toEqual([4]);
    expect(await projection.project([{ ...writer.renamed('Later'), position: 9 }])).toEqual([4]);
    const state = (await log.store.conversations([writer.state.id])).get(writer.state.id);
    expect(state).toMatchObject({ title: null, version: 3, messageCount: 2 });
  });

  it('catches up first when somebody else has stored rows in between', async () => {
    const writer = new Writer(5);
    await log.store.append([writer.created()]);
    await insertOnly([writer.sent('unprojected')]);
    expect(await log.store.append([writer.sent('next')])).toEqual(new Map());
    expect((await log.store.conversations([writer.state.id])).get(writer.state.id)).toEqual(writer.state);
  });

  it('reads back from a majority what stands before a refused row', async () => {
    const [good, bad] = [new Writer(9), new Writer(10)];
    await log.store.append([good.created(), bad.created(), bad.sent('there')]);
    const [a, b] = [good.sent('a'), good.sent('b')];
    await watched(log, config, async (store, asked) => {
      const shortfalls = await store.append([a, b, { ...bad.sent('late'), position: 2 }]);
      expect(shortfalls).toEqual(
        new Map([[10, { stored: 0, reason: expect.any(PositionTaken) as unknown }]]),
      );
      const { partition, position, event } = b;
      expect(asked[0]).toMatchObject({
        filter: { partition, position, event },
        readConcern: { level: 'linearizable' },
      });
    });
    expect(await log.store.positions([9, 10])).toEqual(
      new Map([
        [9, 3],
        [10, 2],
      ]),
    );
  });

  it('stops a partition whose log has lost rows, and that one alone', async () => {
    const [whole, cut] = [new Writer(6), new Writer(7)];
    await log.store.append([whole.created(), cut.created(), cut.sent('a'), cut.sent('b')]);
    await rows.deleteMany({ partition: 7, position: { $gt: 1 } });
    const tails = await log.store.catchUp([6, 7]);
    expect(tails.get(6)).toEqual({ position: 1, term: 1 });
    expect(tails.get(7)).toBeInstanceOf(LogBroken);
    expect(tails.get(7)).toMatchObject({ partition: 7, position: 3 });
  });

  it('stops a partition with a hole', async () => {
    const writer = new Writer(8);
    await insertOnly([writer.created(), { ...writer.sent('a'), position: 3 }]);
    expect((await log.store.catchUp([8])).get(8)).toMatchObject({ partition: 8, position: 2 });
    expect((await log.store.catchUp([8])).get(8)).toBeInstanceOf(LogBroken);
  });

  it('is not opened with the projection of another deployment, nor taken for one in PostgreSQL', async () => {
    const { config: otherConfig } = await mongoConfig();
    const other = await openMongoTestLog(otherConfig);
    const apart = 'one was restored without the other';
    await expect(openMongoLog(other.source, log.connection)).rejects.toThrow(apart);
    await renewEpoch(pgPool(other.source), undefined);
    await expect(openMongoLog(other.source, other.connection)).rejects.toThrow(apart);
    await renewEpoch(pgPool(other.source), other.connection.getClient().db());
    await (await openMongoTestLog(otherConfig)).close();
    await other.close();
    await expect(refuseProjectedLog(pgPool(log.source))).rejects.toThrow(/MESSAGE_STORE=mongodb/);
  });

  it('gets another epoch after a restore, of an earlier release, too', async () => {
    const { config: restored } = await mongoConfig();
    const before = await openMongoTestLog(restored);
    const epochs = () => before.source.query<unknown[]>('select epoch from deployment');
    const former = await epochs();
    await before.source.query(`delete from migrations where name like 'ChannelSearch%'`);
    await before.connection.collection('messaging_migrations').deleteMany({ _id: /log-chunks$/ as never });

    const epoch = await startAnew(restored);
    expect(await epochs()).toEqual([{ epoch }]);
    expect(former).not.toEqual([{ epoch }]);
    await (await openMongoTestLog(restored)).close();
    await before.close();
  });

  /** As an owner leaves them that dies between the append and the projection. */
  async function insertOnly(stored: LogRow[]): Promise<void> {
    await rows.insertMany(stored.map(toDocument));
  }
});

type Query = { filter: mongo.Document; sort?: mongo.Sort; limit?: number };
type Asked = Query & { readConcern?: mongo.ReadConcernLike };

/** Every kind of find that the store sends. */
async function queriesOf(log: MongoTestLog, config: LogConfig): Promise<Query[]> {
  return watched(log, config, async (store, asked) => {
    const [row] = await store.read(1, 1, 1);
    const { conversationId, message } = JSON.parse(row!.event) as {
      conversationId: string;
      message: { id: string };
    };
    await store.catchUp([1]);
    await store.readAt([{ partition: 1, position: 2 }]);
    await store.messages([{ conversationId, messageId: message.id }]);
    await store.messageIdOf(conversationId, message.id, 'a');
    return asked.map(({ filter, sort, limit }) => ({
      filter,
      ...(sort && { sort }),
      ...(limit !== undefined && { limit }),
    }));
  });
}

/** Works with a store of its own, whose finds are there as the driver tells of them. */
async function watched<T>(
  log: MongoTestLog,
  config: LogConfig,
  work: (store: LogStore, asked: Asked[]) => Promise<T>,
): Promise<T> {
  const connection = await createConnection(config.MONGODB_URL, { monitorCommands: true }).asPromise();
  try {
    const store = await openMongoLog(log.source, connection);
    const asked: Asked[] = [];
    connection.getClient().on('commandStarted', ({ commandName, command }) => {
      if (commandName === 'find' && command['find'] === 'messaging_log') asked.push(command as Asked);
    });
    return await work(store, asked);
  } finally {
    await connection.close();
  }
}

/** The index that MongoDB's winning plan scans; of FerretDB, whether PostgreSQL filters. */
function indexOf(plan: mongo.Document, kind: TestMongo['kind']): unknown {
  if (kind === 'ferretdb') return plan['filterPushdown'];
  const text = JSON.stringify(plan['queryPlanner'].winningPlan);
  expect(text).not.toContain('COLLSCAN');
  return /"indexName":"(\w+)"/.exec(text)?.[1];
}

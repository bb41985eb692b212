import { Module } from '@nestjs/common';
import { describeMongo, interruptible, testMongo, type TestMongo, until } from '@parley/testing';
import type { Connection } from 'mongoose';
import {
  MONGO_CONNECTION,
  MongoModule,
  type MongoMigration,
  type MongoSettings,
  baseConfig,
  isBackingServiceAway,
  loadConfig,
  runMongoMigrations,
  runService,
} from '..';
import { mongoOptions, openMongo } from './connection';

const things: MongoMigration = {
  name: '1700000000000-things',
  async up(schema) {
    await schema.collection('things_items', {
      validator: { required: ['number'], properties: { number: { bsonType: 'int' } } },
      indexes: [{ key: { number: 1 }, name: 'items_number', unique: true }],
      shardKey: { number: 1 },
    });
    await schema.db.collection('things_items').insertOne({ number: 1 });
  },
};

describeMongo('MongoDB', () => {
  let mongo: TestMongo;
  beforeEach(async () => {
    mongo = await testMongo();
  });

  function settings(url = mongo.url): MongoSettings {
    return { url, app: 'things', migrations: [things], poolMax: 2 };
  }

  async function start(url = mongo.url) {
    @Module({ imports: [MongoModule.forRoot(settings(url))] })
    class ThingModule {}
    const config = loadConfig(baseConfig, { PORT: '0', LOG_LEVEL: 'silent' });
    const service = await runService({ name: 'things', module: ThingModule, config, ownsProcess: false });
    const connection = service.app.get<Connection>(MONGO_CONNECTION, { strict: false });
    const items = () => connection.collection('things_items');
    const ready = async () => (await fetch(`${service.url}/health/ready`)).status;
    return { service, items, ready };
  }

  test('migrations of many instances at once run once', async () => {
    const runs = await Promise.all([1, 2, 3].map(() => runMongoMigrations(settings())));
    expect(runs.flat()).toEqual([things.name]);
    expect(await runMongoMigrations(settings())).toEqual([]);
  });

  test('a service without its migrations does not start, and says what to do', async () => {
    await expect(start()).rejects.toThrow(/1700000000000-things\. Run: node dist\/migrate\.js/);
  });

  test('unique indexes hold, and on MongoDB itself the validator too', async () => {
    await runMongoMigrations(settings());
    const { service, items } = await start();
    await expect(items().insertOne({ number: 1 })).rejects.toMatchObject({ code: 11_000 });
    const malformed = items().insertOne({ number: 'two' });
    // FerretDB validates nothing.
    if (mongo.kind === 'mongodb') await expect(malformed).rejects.toMatchObject({ code: 121 });
    else await malformed;
    await service.close();
  });

  test('a server is told who connects, without which MongoDB refuses a client', async () => {
    const connection = await openMongo(mongo.url, mongoOptions(settings()));
    const { metadata } = connection.getClient().options as unknown as { metadata: Promise<unknown> };
    const told = await metadata;
    expect(told).toMatchObject({
      driver: { name: expect.stringContaining('nodejs') },
      application: { name: 'parley-things' },
    });
    await connection.close();
  });

  test('what an address says makes writes and reads no weaker, even where nobody has refused it', async () => {
    const address = new URL(mongo.url);
    for (const [name, value] of Object.entries({
      j: 'false',
      journal: 'false',
      w: '1',
      readConcernLevel: 'local',
    }))
      address.searchParams.set(name, value);
    const connection = await openMongo(address.href, mongoOptions(settings()));
    expect(connection.getClient().options).toMatchObject({
      writeConcern: { w: 'majority', j: true, journal: true },
      readConcern: { level: 'majority' },
      readPreference: { mode: 'primary' },
    });
    await connection.close();
  });

  test('a dead and a frozen server are told as away, and all resumes by itself', async () => {
    await runMongoMigrations(settings());
    const line = await interruptible(mongo.url);
    const { service, items, ready } = await start(line.url);
    expect(await ready()).toBe(200);
    for (const disturb of [() => line.cut(), () => Promise.resolve(line.freeze())]) {
      await disturb();
      const failures = [items().findOne(), items().insertMany([{ number: 2 }]), items().findOne()];
      for (const { reason } of (await Promise.allSettled(failures)) as PromiseRejectedResult[])
        expect([String(reason), isBackingServiceAway(reason)]).toEqual([expect.anything(), true]);
      await until('the service is out of service', async () => (await ready()) === 503);
      await line.restore();
      await until('the service is ready', async () => (await ready()) === 200);
      expect(await items().countDocuments({ number: 1 })).toBe(1);
    }
    await service.close();
    await line.close();
  });

  test('a crowd that waits for connections puts nobody out of service', async () => {
    await runMongoMigrations(settings());
    const { service, items, ready } = await start();
    const text = 'x'.repeat(500);
    for (let number = 2; number < 2000; number += 100)
      await items().insertMany(Array.from({ length: 100 }, (_, i) => ({ number: number + i, text })));
    // What keeps the server at work, and not this process. FerretDB looks through all of it for an expression.
    const slow = mongo.kind === 'mongodb' ? { number: 1, $where: 'sleep(100) || true' } : { text: /^y/ };
    let isCrowded = true;
    let inVain = 0;
    const visitor = async () => {
      while (isCrowded)
        await items()
          .findOne(slow)
          .catch(({ name }: Error) => (inVain += name === 'MongoWaitQueueTimeoutError' ? 1 : 0));
    };
    const crowd = Array.from({ length: 60 }, visitor);
    await until('many wait in vain', () => inVain > 100);
    const asked: number[] = [];
    // For longer than a critical server may be away.
    for (const end = Date.now() + 6000; Date.now() < end;) asked.push(await ready());
    isCrowded = false;
    await Promise.all(crowd);
    expect(new Set(asked)).toEqual(new Set([200]));
    await service.close();
  });

  test('a write that is too large for a frozen line is told as away, too', async () => {
    await runMongoMigrations(settings());
    const line = await interruptible(mongo.url);
    const { service, items } = await start(line.url);
    await items().findOne();
    line.freeze();
    const large = Array.from({ length: 12 }, () => ({ number: 3, text: 'x'.repeat(1_000_000) }));
    const reason: unknown = await items()
      .insertMany(large)
      .catch((error: unknown) => error);
    expect([String(reason), isBackingServiceAway(reason)]).toEqual([expect.anything(), true]);
    await line.restore();
    await service.close();
    await line.close();
  });

  test('a start waits for a server that is away', async () => {
    await runMongoMigrations(settings());
    const line = await interruptible(mongo.url);
    await line.cut();
    const starting = start(line.url);
    await line.restore();
    const { service, ready } = await starting;
    expect(await ready()).toBe(200);
    await service.close();
    await line.close();
  });
});

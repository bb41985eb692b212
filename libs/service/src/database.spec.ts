import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { freshDatabase, interruptible, type Interruptible, until } from '@parley/testing';
import { Client } from 'pg';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import {
  Public,
  baseConfig,
  DatabaseModule,
  loadConfig,
  pgPool,
  readAgain,
  runMigrations,
  runService,
  type DatabaseSettings,
  type RunningService,
} from '.';

class CreateThings1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Without a schema: the search path leads to the service's own.
    await runner.query('create table things (id integer primary key)');
    await runner.query('insert into things values (1)');
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table things');
  }
}

/** Waits for every snapshot that is older, so also for those of instances that would wait for this one in a statement. */
class IndexThings1700000000001 implements MigrationInterface {
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index concurrently things_backwards on things (id desc)');
  }
  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index concurrently things_backwards');
  }
}

const migrations = [CreateThings1700000000000, IndexThings1700000000001];

function settings(url: string) {
  return { url, schema: 'things', entities: [], migrations, poolMax: 2 };
}

@Public()
@Controller()
class ThingController {
  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  @Get('plain')
  plain() {
    return pgPool(this.dataSource)
      .query('select id from things')
      .then((result) => result.rows as unknown);
  }

  @Get('transaction')
  transaction() {
    return this.dataSource.transaction(
      (manager) => manager.query('select id from things') as Promise<unknown>,
    );
  }

  @Get('slow')
  slow() {
    return this.dataSource.query('select pg_sleep(10)');
  }
}

function serve(database: DatabaseSettings) {
  @Module({ imports: [DatabaseModule.forRoot(database)], controllers: [ThingController] })
  class ThingModule {}
  return runService({
    name: 'things',
    module: ThingModule,
    config: loadConfig(baseConfig, { PORT: '0', LOG_LEVEL: 'error' }),
    ownsProcess: false,
  });
}

test('migrations of many instances at once run once', async () => {
  const url = await freshDatabase();
  const runs = await Promise.all([1, 2, 3].map(() => runMigrations(settings(url))));
  expect(runs.flat()).toEqual(migrations.map(({ name }) => name));
  expect(await runMigrations(settings(url))).toEqual([]);
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query('select id from things.things');
  expect(rows).toEqual([{ id: 1 }]);
  await client.end();
});

test('a service does not start on a schema that lacks migrations, and says which', async () => {
  const present = settings(await freshDatabase());
  const former = { ...present, migrations: migrations.slice(0, 1) };
  const said = 'lacks the migrations IndexThings1700000000001. Run: node dist/migrate.js';
  await expect(serve(present)).rejects.toThrow('lacks the migrations CreateThings1700000000000, IndexThings');
  await runMigrations(former);
  await expect(serve(present)).rejects.toThrow(said);
});

test('a service starts on a schema that a later release has migrated', async () => {
  const present = settings(await freshDatabase());
  await runMigrations(present);
  const service = await serve({ ...present, migrations: migrations.slice(0, 1) });
  expect((await fetch(`${service.url}/plain`)).status).toBe(200);
  await service.close();
});

describe('a service whose database fails', () => {
  let line: Interruptible;
  let service: RunningService;

  beforeAll(async () => {
    const url = await freshDatabase();
    await runMigrations(settings(url));
    line = await interruptible(url);
    service = await serve(settings(line.url));
  });
  afterAll(async () => {
    await line.restore();
    await service.close();
    await line.close();
  });

  const status = async (path: string) => (await fetch(service.url + path)).status;
  /** The promise is two seconds; a busy machine may take more, but what hangs takes for ever. */
  const bounded = (path: string) => fetch(service.url + path, { signal: AbortSignal.timeout(8000) });

  async function expectUnavailable(path: string) {
    const response = await bounded(path);
    expect({ status: response.status, body: await response.json() }).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    expect(response.headers.get('retry-after')).toBe('1');
  }

  async function expectRecovery() {
    await line.restore();
    await until('the service is ready', async () => (await status('/health/ready')) === 200);
    for (const path of ['/plain', '/transaction']) expect(await status(path)).toBe(200);
  }

  test('works while it is there', async () => {
    expect(await status('/plain')).toBe(200);
    expect(await status('/transaction')).toBe(200);
    expect(await status('/health/ready')).toBe(200);
  });

  test('a statement that takes too long is cancelled', async () => {
    await expectUnavailable('/slow');
  });

  test('a crowd that waits for connections puts nobody out of service', async () => {
    const pool = pgPool(service.app.get(DataSource));
    let isCrowded = true;
    const visitor = async () => {
      while (isCrowded) await pool.query('select pg_sleep(0.1)').catch(() => undefined);
    };
    const crowd = Array.from({ length: 60 }, visitor);
    await until('many wait', () => pool.waitingCount > 30);
    const asked: number[] = [];
    // For longer than a critical server may be away.
    for (const end = Date.now() + 6000; Date.now() < end;) asked.push(await status('/health/ready'));
    isCrowded = false;
    await Promise.all(crowd);
    expect(asked.filter((each) => each !== 200)).toEqual([]);
  });

  test('a read that was cancelled is done once more, and no more', async () => {
    const pool = pgPool(service.app.get(DataSource));
    await pool.query('create sequence tries');
    const slow = (tries: number) => () =>
      pool.query(`select case when nextval('tries') <= ${tries} then pg_sleep(10) end`);
    expect((await readAgain(slow(1))).rowCount).toBe(1);
    await expect(readAgain(slow(9))).rejects.toMatchObject({ code: '57014' });
    expect((await pool.query('select last_value from tries')).rows).toEqual([{ last_value: '4' }]);
  });

  test('a read that got no connection in time is done once more', async () => {
    const pool = pgPool(service.app.get(DataSource));
    const taken = await Promise.all([pool.connect(), pool.connect()]); // All that it has.
    let tries = 0;
    const read = () => {
      tries += 1;
      // They come back while the first attempt has failed and the second waits.
      if (tries === 2) for (const client of taken) client.release();
      return pool.query('select 1');
    };
    expect((await readAgain(read)).rowCount).toBe(1);
    expect(tries).toBe(2);
  });

  test('a dead one is answered with unavailable, and all resumes by itself', async () => {
    await line.cut();
    await Promise.all(['/plain', '/transaction', '/plain', '/plain'].map(expectUnavailable));
    await until('the service is out of service', async () => (await status('/health/ready')) === 503);
    expect(await status('/health/live')).toBe(200);
    await expectRecovery();
  });

  test('a frozen one is answered with unavailable, and all resumes by itself', async () => {
    line.freeze();
    await Promise.all(['/plain', '/transaction', '/plain', '/plain'].map(expectUnavailable));
    await until('the service is out of service', async () => (await status('/health/ready')) === 503);
    await expectRecovery();
  });

  test('one that freezes in the middle of a statement is answered too', async () => {
    const slow = expectUnavailable('/slow');
    line.freeze();
    await slow;
    await expectRecovery();
  });
});

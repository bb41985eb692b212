import { freshDatabase, interruptible, until } from '@parley/testing';
import { Client } from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { buildIndex, databaseTimeouts, runMigrations } from '.';

class CreateThings1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table things (id integer primary key)');
    await runner.query('insert into things values (1)');
  }
  async down(): Promise<void> {}
}

class CreateOthers1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table others (id integer primary key)');
  }
  async down(): Promise<void> {}
}

class AddColumn1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table things add column title text');
  }
  async down(): Promise<void> {}
}

/** Resolved by the tests that hold up a migration before its index. */
let gate: Promise<void> = Promise.resolve();
let isAtGate = false;

class IndexThings1700000000003 implements MigrationInterface {
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    isAtGate = true;
    await gate;
    await buildIndex(runner, 'things_backwards', 'things (id desc)');
  }
  async down(): Promise<void> {}
}

describe('migrations', () => {
  let url: string;
  let clients: Client[] = [];

  const connect = async () => {
    const client = new Client({ connectionString: url });
    await client.connect();
    clients.push(client);
    return client;
  };
  const run = (migrations: (new () => MigrationInterface)[], at = url) =>
    runMigrations({ url: at, schema: 'things', entities: [], migrations, poolMax: 1 });
  const indexOf = async (client: Client) => {
    const { rows } = await client.query<{ oid: number; valid: boolean }>(
      `select indexrelid as oid, indisvalid as valid from pg_index
       where indexrelid = to_regclass('things.things_backwards')`,
    );
    return rows[0];
  };

  beforeEach(async () => {
    url = await freshDatabase();
    gate = Promise.resolve();
    isAtGate = false;
    await run([CreateThings1700000000000]);
  });
  afterEach(async () => {
    for (const client of clients) await client.end();
    clients = [];
  });

  test('a table that a dump is reading is waited for, and nobody waits behind', async () => {
    const [dump, app, watcher] = [await connect(), await connect(), await connect()];
    await dump.query('begin');
    await dump.query('lock table things.things in access share mode');
    await app.query(`set lock_timeout = ${databaseTimeouts.lockMs}`);
    const running = run([CreateThings1700000000000, CreateOthers1700000000001, AddColumn1700000000002]);
    const isWaiting = async () => {
      const { rowCount } = await watcher.query(
        `select from pg_locks where relation = 'things.things'::regclass and not granted`,
      );
      return rowCount === 1;
    };

    for (let times = 0; times < 2; times += 1) {
      await until('the migration waits for the table', isWaiting);
      expect((await app.query('select id from things.things')).rows).toEqual([{ id: 1 }]);
      await until('the migration lets others pass', async () => !(await isWaiting()));
    }
    await dump.query('commit');
    expect(await running).toEqual(['CreateOthers1700000000001', 'AddColumn1700000000002']);
  });

  test('an index whose migration was killed is finished by the server, and kept', async () => {
    const [reader, watcher] = [await connect(), await connect()];
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1'); // For the end of this snapshot the index waits.
    const line = await interruptible(url);
    const migrations = [CreateThings1700000000000, IndexThings1700000000003];
    const killed = run(migrations, line.url);
    const watched = (query: string) => async () => (await watcher.query(query)).rowCount === 1;
    await until(
      'the index waits',
      watched(`select from pg_locks where locktype = 'virtualxid' and not granted`),
    );
    const before = await indexOf(watcher);
    const failed = expect(killed).rejects.toThrow(/terminated/);
    await line.close();
    await failed;

    const next = run(migrations);
    await until(
      'the next one waits for it',
      watched(`select from pg_stat_activity where state = 'idle' and pid <> pg_backend_pid()
        and datname = current_database() and query like '%pg_stat_progress_create_index%'`),
    );
    await reader.query('commit');
    expect(await next).toEqual(['IndexThings1700000000003']);
    expect(before).toMatchObject({ valid: false });
    expect(await indexOf(watcher)).toEqual({ ...before, valid: true });
  });

  test('an index that was given up in the middle is built anew', async () => {
    const [reader, builder] = [await connect(), await connect()];
    await reader.query('begin isolation level repeatable read');
    await reader.query('select 1');
    await builder.query('set statement_timeout = 100');
    await expect(
      builder.query('create index concurrently things_backwards on things.things (id)'),
    ).rejects.toMatchObject({ code: '57014' });
    await builder.query('set statement_timeout = 0');
    const before = await indexOf(builder);
    await reader.query('commit');

    await run([CreateThings1700000000000, IndexThings1700000000003]);
    const after = await indexOf(builder);
    expect([before?.valid, after?.valid]).toEqual([false, true]);
    expect(after?.oid).not.toBe(before?.oid);
  });

  test('one of the first release, which waits in a statement, does not hold up an index', async () => {
    const [former, watcher] = [await connect(), await connect()];
    let open!: () => void;
    gate = new Promise((resolve) => (open = resolve));
    const running = run([CreateThings1700000000000, IndexThings1700000000003]);
    await until('the lock is taken', () => isAtGate);
    const waiting = expect(
      former.query('select pg_advisory_lock(hashtextextended($1, 0))', ['parley.migrate.things']),
    ).rejects.toMatchObject({ code: '57014' });
    await until('the former release waits', async () => {
      const { rowCount } = await watcher.query(
        `select from pg_locks where locktype = 'advisory' and not granted
         and database = (select oid from pg_database where datname = current_database())`,
      );
      return rowCount === 1;
    });
    open();
    expect(await running).toEqual(['IndexThings1700000000003']);
    await waiting;
  });

  test('a lock that is lost ends the work with an error', async () => {
    const line = await interruptible(url);
    gate = new Promise(() => undefined);
    const running = run([CreateThings1700000000000, IndexThings1700000000003], line.url);
    await until('the lock is taken', () => isAtGate);
    const failed = expect(running).rejects.toThrow(/terminated/);
    await line.close();
    await failed;
  });
});

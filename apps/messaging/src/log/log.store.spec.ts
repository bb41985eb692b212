import { pgPool, runMigrations, typeormOptions } from '@parley/service';
import { describeMongo, freshDatabase } from '@parley/testing';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { databaseSettings } from '../database';
import { closeMongoLogs, openMongoTestLog } from '../testing/mongo-log';
import { MemoryLog } from '../testing/simulation/simulated.store';
import { describeLogStore } from './log.store.contract';
import { PostgresLogStore } from './log.store.postgres';

const sources: DataSource[] = [];
afterAll(() => Promise.all(sources.map((source) => source.destroy())));

describeLogStore('PostgreSQL', 'whole', async () => {
  const settings = databaseSettings({ DATABASE_URL: await freshDatabase(), DATABASE_POOL_MAX: 5 });
  await runMigrations(settings);
  const source = await new DataSource(typeormOptions(settings) as DataSourceOptions).initialize();
  sources.push(source);
  return new PostgresLogStore(pgPool(source));
});

describeMongo('the log in MongoDB', () => {
  afterAll(closeMongoLogs);
  describeLogStore('MongoDB', 'torn', async () => (await openMongoTestLog()).store);
});

for (const kind of ['whole', 'torn'] as const) {
  describeLogStore(`memory, as the simulation uses it, ${kind}`, kind, () =>
    Promise.resolve(new MemoryLog(kind)),
  );
}

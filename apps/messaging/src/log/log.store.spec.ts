import { describeMongo } from '@parley/testing';
import { MemoryLog } from '../testing/simulation/simulated.store';
import {
  mongoConfig,
  openMongoTestLog,
  openPostgresTestLog,
  postgresConfig,
  type TestLog,
} from '../testing/test-log';
import { openPostgresLog } from '../store';
import { describeLogStore } from './log.store.contract';

const opened: TestLog[] = [];
afterAll(() => Promise.all(opened.map((log) => log.close())));

async function use(opening: Promise<TestLog>) {
  const log = await opening;
  opened.push(log);
  return log.store;
}

describeLogStore('PostgreSQL', 'whole', async () => use(openPostgresTestLog(await postgresConfig())));

test('before its migrations the log is not opened, and says so', async () => {
  const log = await openPostgresTestLog(await postgresConfig());
  opened.push(log);
  await log.source.query('drop table projections cascade');
  await expect(openPostgresLog(log.source)).rejects.toThrow('run the migrations first');
});

describeMongo('the log in MongoDB', () => {
  describeLogStore('MongoDB', 'torn', async () => use(openMongoTestLog((await mongoConfig()).config)));
});

for (const kind of ['whole', 'torn'] as const) {
  describeLogStore(`memory, as the simulation uses it, ${kind}`, kind, () =>
    Promise.resolve(new MemoryLog(kind)),
  );
}

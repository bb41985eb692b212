import { describeMongo } from '@parley/testing';
import { MemoryLog } from '../testing/simulation/simulated.store';
import {
  mongoConfig,
  openMongoTestLog,
  openPostgresTestLog,
  postgresConfig,
  type TestLog,
} from '../testing/test-log';
import { describeLogStore } from './log.store.contract';

const opened: TestLog[] = [];
afterAll(() => Promise.all(opened.map((log) => log.close())));

async function use(opening: Promise<TestLog>) {
  const log = await opening;
  opened.push(log);
  return log.store;
}

describeLogStore('PostgreSQL', 'whole', async () => use(openPostgresTestLog(await postgresConfig())));

describeMongo('the log in MongoDB', () => {
  describeLogStore('MongoDB', 'torn', async () => use(openMongoTestLog((await mongoConfig()).config)));
});

for (const kind of ['whole', 'torn'] as const) {
  describeLogStore(`memory, as the simulation uses it, ${kind}`, kind, () =>
    Promise.resolve(new MemoryLog(kind)),
  );
}

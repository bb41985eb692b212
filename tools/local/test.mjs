// `npm test`: everything in every project, on servers of its own. Arguments go to jest.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { become, prepare, workspace } from './prepare.mjs';

await prepare();
const require = createRequire(import.meta.url);
const { NO_MONGO, prepareMongo } = require(join(workspace, 'tools/local/dist/index.js'));
const { endRun, makeRunDirectory } = require(join(workspace, 'libs/testing/jest/run-directory.js'));
const mongo = await prepareMongo(process.env, (line) => console.log(`  ${line}`)).catch(
  ({ message, advice }) => {
    console.error(`\n  ${message}\n  ${advice ?? ''}\n`);
    process.exit(1);
  },
);

const dir = makeRunDirectory();
const args = ['--maxWorkers=2', ...process.argv.slice(2)];
await become('node_modules/jest/bin/jest.js', args, { PARLEY_TEST_RUN_DIR: dir }, async () => {
  // A signal ends jest before its own teardown.
  await endRun(dir);
  if (!mongo)
    console.error(`\n  SKIPPED: the MongoDB suites, because ${NO_MONGO.message}\n  ${NO_MONGO.advice}\n`);
});

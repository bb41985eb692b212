// `npm test`: everything in every project, on servers of its own. Arguments go to jest.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { become, prepare, workspace } from './prepare.mjs';

await prepare();
const require = createRequire(import.meta.url);
const { NO_MONGO, prepareMongo, requireProgram } = require(join(workspace, 'tools/local/dist/index.js'));
const { endRun, makeRunDirectory } = require(join(workspace, 'libs/testing/jest/run-directory.js'));
const say = (line) => console.log(`  ${line}`);
// Before jest, which decides at once which suites there are. What becomes of them without it, they say themselves.
await requireProgram('haproxy', say).catch(({ message, advice }) => say(`${message}\n  ${advice ?? ''}`));
const mongo = await prepareMongo(process.env, say).catch(({ message, advice }) => {
  console.error(`\n  ${message}\n  ${advice ?? ''}\n`);
  process.exit(1);
});

const dir = makeRunDirectory();
const args = ['--maxWorkers=2', ...process.argv.slice(2)];
await become('node_modules/jest/bin/jest.js', args, { PARLEY_TEST_RUN_DIR: dir }, async () => {
  // A signal ends jest before its own teardown.
  await endRun(dir);
  if (!mongo)
    console.error(`\n  SKIPPED: the MongoDB suites, because ${NO_MONGO.message}\n  ${NO_MONGO.advice}\n`);
});

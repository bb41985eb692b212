// `npm test`: everything in every project, on servers of its own. Arguments go to jest.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { become, prepare, workspace } from './prepare.mjs';

prepare();
const require = createRequire(import.meta.url);
const { NO_MONGO, prepareMongo } = require(join(workspace, 'tools/local/dist/index.js'));
const mongo = await prepareMongo(process.env, (line) => console.log(`  ${line}`)).catch(
  ({ message, advice }) => {
    console.error(`\n  ${message}\n  ${advice ?? ''}\n`);
    process.exit(1);
  },
);

become('node_modules/jest/bin/jest.js', ['--maxWorkers=2', ...process.argv.slice(2)], {}, () => {
  if (!mongo)
    console.error(`\n  SKIPPED: the MongoDB suites, because ${NO_MONGO.message}\n  ${NO_MONGO.advice}\n`);
});

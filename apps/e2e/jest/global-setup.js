// Runs once per jest run that holds a spec of this project: starts the whole system in a process of its own, which
// stops it again at the end of the run, or when jest itself is gone. Builds what changed before: apps run from dist.
const { execFileSync, fork } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');
const sharedSetup = require('../../../libs/testing/jest/global-setup.js');

module.exports = async () => {
  // Each project of a run has a setup of its own; the servers' directory is made by whichever comes first.
  sharedSetup();
  const { href } = pathToFileURL(join(__dirname, '../../../tools/local/prepare.mjs'));
  const endsWithParent = join(__dirname, '../../../tools/local/ends-with-parent.cjs');
  const build = `import('${href}').then(({ prepare }) => prepare())`;
  execFileSync(process.execPath, [`--require=${endsWithParent}`, '-e', build], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const keeper = fork(join(__dirname, '../src/system/keeper.ts'), {
    execArgv: [
      '--conditions=@parley/source',
      '--require',
      join(__dirname, '../../../libs/testing/jest/register.js'),
    ],
    // Of its own group, so that a signal to that of jest leaves it the time to stop the system in order.
    detached: true,
  });
  // For the end of the run: see libs/testing/jest/run-directory.js.
  writeFileSync(join(process.env.PARLEY_TEST_DIR, 'e2e-keeper.pid'), String(keeper.pid));
  process.env.PARLEY_E2E_URL = await new Promise((resolve, reject) => {
    keeper.once('message', ({ url, error }) => (url ? resolve(url) : reject(new Error(error))));
    keeper.once('exit', (code) => reject(new Error(`The system ended with ${code} instead of starting.`)));
  });
};

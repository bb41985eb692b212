// Runs once per jest run, before any worker: gives the run its own directory, unless `npm test` has. Servers start there
// only when the first spec asks for one (see ../src/servers.ts), so that unit specs cost nothing.
const { existsSync } = require('node:fs');
const { makeRunDirectory } = require('./run-directory.js');

module.exports = () => {
  const { PARLEY_TEST_DIR: dir, PARLEY_TEST_RUN_PID: runPid } = process.env;
  // Projects with a setup of their own share the directory of their run; a run inside a spec, or the next one of `--watch`,
  // must not use, and end, that of another.
  if (dir && existsSync(dir) && runPid === String(process.pid)) return;
  process.env.PARLEY_TEST_DIR = process.env.PARLEY_TEST_RUN_DIR ?? makeRunDirectory();
  delete process.env.PARLEY_TEST_RUN_DIR;
  process.env.PARLEY_TEST_RUN_PID = String(process.pid);
};

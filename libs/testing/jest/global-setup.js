// Runs once per jest run, before any worker: gives the run its own directory, unless `npm test` has. Servers start there
// only when the first spec asks for one (see ../src/servers.ts), so that unit specs cost nothing.
const { makeRunDirectory } = require('./run-directory.js');

module.exports = () => {
  process.env.PARLEY_TEST_DIR = process.env.PARLEY_RUN_DIR ?? makeRunDirectory();
  // Of this run alone: a run inside a spec, or the next one of `--watch`, has another.
  delete process.env.PARLEY_RUN_DIR;
  process.env.PARLEY_TEST_RUN_PID = String(process.pid);
};

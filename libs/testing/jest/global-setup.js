// Runs once per jest run, before any worker: gives the run its own directory. Servers start there only when the
// first spec asks for one (see ../src/servers.ts), so that unit specs cost nothing.
const { chmodSync, mkdtempSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

module.exports = () => {
  const dir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  // PostgreSQL may run as another user, who has to reach its data below this directory.
  chmodSync(dir, 0o711);
  process.env.PARLEY_TEST_DIR = dir;
  process.env.PARLEY_TEST_RUN_PID = String(process.pid);
};

// Runs once per jest run, at its end: asks the keeper of this run's servers, if one was started, to stop them and to
// remove the directory, and waits for it. Should jest be killed before, the keeper notices by itself.
const { existsSync, readFileSync, rmSync } = require('node:fs');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

module.exports = async () => {
  const dir = process.env.PARLEY_TEST_DIR;
  const pidFile = join(dir, 'keeper.pid');
  if (existsSync(pidFile)) {
    const pid = Number(readFileSync(pidFile, 'utf8'));
    while (signal(pid, 'SIGTERM')) await delay(20);
  }
  rmSync(dir, { recursive: true, force: true });
};

/** Whether the process was there to be signalled. */
function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

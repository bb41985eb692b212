// The directory of one jest run: for the hooks of jest, and for `npm test`, which ends what jest could not when it was killed.
const { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

/** Who runs things for a run, in the order in which they end: the apps of the end-to-end tests before the servers. */
const KEEPERS = ['e2e-keeper.pid', 'keeper.pid'];

exports.makeRunDirectory = () => {
  const dir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  // PostgreSQL may run as another user, who has to reach its data below this directory.
  chmodSync(dir, 0o711);
  return dir;
};

/** Asks the keepers of a run, those that were started, to stop what they run, waits for them and removes the directory. */
exports.endRun = async (dir) => {
  for (const name of KEEPERS) {
    const file = join(dir, name);
    if (!existsSync(file)) continue;
    const pid = Number(readFileSync(file, 'utf8'));
    while (!isZombie(pid) && signal(pid, 'SIGTERM')) await delay(20);
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

/** Whether it has ended and nobody has asked how, as in a container without an init. */
function isZombie(pid) {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

// The directory of one jest run: for the hooks of jest, and for `npm test`, which ends what jest could not when it was killed.
const { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

/**
 * Who runs things for a run, below which part of its directory, in the order in which they end: the apps of the end-to-end
 * tests before the servers.
 */
const KEEPERS = [
  { pidFile: 'e2e-keeper.pid', part: 'e2e' },
  { pidFile: 'keeper.pid', part: '.' },
];
/** Above what an orderly stop of the apps takes. */
const STOP_TIMEOUT_MS = 60_000;
/** Above what a guardian takes that has to kill. */
const GUARDIAN_TIMEOUT_MS = 60_000;

exports.makeRunDirectory = () => {
  const dir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  // PostgreSQL may run as another user, who has to reach its data below this directory.
  chmodSync(dir, 0o711);
  return dir;
};

/**
 * Asks the keepers of a run, those that were started, to stop what they run, waits for them and removes the directory. One
 * that does not within `stopTimeoutMs` is killed: its guardian (tools/local) stops what it had started.
 */
exports.endRun = async (dir, { stopTimeoutMs = STOP_TIMEOUT_MS } = {}) => {
  for (const { pidFile, part } of KEEPERS) {
    const file = join(dir, pidFile);
    if (!existsSync(file)) continue;
    const pid = Number(readFileSync(file, 'utf8'));
    if (await within(stopTimeoutMs, () => hasEnded(pid) || !signal(pid, 'SIGTERM'))) continue;
    console.error(`${pidFile}: process ${pid} did not end within ${stopTimeoutMs / 1000} s and is killed.`);
    signal(pid, 'SIGKILL');
    // It reads there what is to be stopped.
    const isClean = await within(GUARDIAN_TIMEOUT_MS, () => !hasProcesses(join(dir, part)));
    if (!isClean) console.error(`Something that it had started may still run.`);
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 500 });
};

async function within(timeoutMs, isSo) {
  const end = performance.now() + timeoutMs;
  while (!isSo()) {
    if (performance.now() > end) return false;
    await delay(20);
  }
  return true;
}

/** Whether processes of that directory are recorded as running: their pid files go with them. */
function hasProcesses(dir) {
  try {
    return readdirSync(join(dir, 'run')).length > 0;
  } catch {
    return false;
  }
}

/** Whether the process was there to be signalled. */
function signal(pid, name) {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether it has ended and nobody has asked how, as in a container without an init. Until its last thread has ended its
 * files are open and its ports taken (fields 3 and 20 of proc(5), counted behind the name, which may hold spaces).
 */
function hasEnded(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' && Number(fields[16]) <= 1;
  } catch {
    return false;
  }
}

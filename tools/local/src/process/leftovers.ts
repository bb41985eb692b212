import {
  isOwnedBy,
  processTree,
  readPidFile,
  recordedPid,
  recordedNames,
  removePidFile,
  signalQuietly,
  waitUntilGone,
} from './process-table';

/** Servers are asked to flush what they hold. Everything else keeps nothing in memory that a crash may not take. */
const STOP_SIGNALS: Record<string, NodeJS.Signals> = {
  postgres: 'SIGINT',
  redis: 'SIGTERM',
  rabbitmq: 'SIGTERM',
};
const STOP_TIMEOUT_MS = 20_000;

/**
 * Stops what an earlier run under `dir` left behind, or of it only what process `ownerPid` had started: every process that
 * has a pid file there, lives and carries the mark of `dir`. A pid file whose number now belongs to somebody else is only
 * removed. Returns the stopped names.
 */
export async function stopLeftovers(dir: string, ownerPid?: number): Promise<string[]> {
  const stopped: string[] = [];
  await Promise.all(
    recordedNames(dir).map(async (name) => {
      const recorded = recordedPid(dir, name);
      const pid = readPidFile(dir, name);
      if (pid === process.pid) return;
      if (pid !== undefined) {
        if (ownerPid !== undefined && !isOwnedBy(pid, ownerPid)) return;
        await end(name, pid);
        stopped.push(name);
      }
      // Another one may clean up here as well, and have started anew since.
      if (recordedPid(dir, name) === recorded) removePidFile(dir, name);
    }),
  );
  return stopped;
}

async function end(name: string, pid: number): Promise<void> {
  const tree = processTree(pid);
  for (const one of tree) signalQuietly(one, 'SIGCONT');
  signalQuietly(pid, STOP_SIGNALS[name] ?? 'SIGKILL');
  if (await waitUntilGone(tree, STOP_TIMEOUT_MS)) return;
  for (const one of tree) signalQuietly(one, 'SIGKILL');
  await waitUntilGone(tree, STOP_TIMEOUT_MS);
}

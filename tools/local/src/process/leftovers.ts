import {
  processTree,
  readPidFile,
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
 * Stops what an earlier run under `dir` left behind: every process that has a pid file there, lives and carries the
 * mark of `dir`. A pid file whose number now belongs to somebody else is only removed. Returns the stopped names.
 */
export async function stopLeftovers(dir: string): Promise<string[]> {
  const stopped: string[] = [];
  await Promise.all(
    recordedNames(dir).map(async (name) => {
      const pid = readPidFile(dir, name);
      if (pid === process.pid) return;
      if (pid !== undefined) {
        const tree = processTree(pid);
        for (const one of tree) signalQuietly(one, 'SIGCONT');
        signalQuietly(pid, STOP_SIGNALS[name] ?? 'SIGKILL');
        if (!(await waitUntilGone(tree, STOP_TIMEOUT_MS)))
          for (const one of tree) signalQuietly(one, 'SIGKILL');
        await waitUntilGone(tree, STOP_TIMEOUT_MS);
        stopped.push(name);
      }
      removePidFile(dir, name);
    }),
  );
  return stopped;
}

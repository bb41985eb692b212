import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

/**
 * The output of a command, once it has ended. It runs in a process group of its own, so that an interruption ends what it
 * has started as well: npm starts a shell, and that the compiler.
 *
 * @throws the reason of `interrupted` when that is aborted before; Error with what the command said when it fails
 */
export async function run(
  command: string,
  args: string[],
  { cwd, interrupted }: { cwd: string; interrupted: AbortSignal },
): Promise<string> {
  interrupted.throwIfAborted();
  const child = spawn(command, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const end = (): void => endGroup(child);
  interrupted.addEventListener('abort', end);
  try {
    // Its streams close once everybody who writes there has ended.
    const [[code], stdout, stderr] = await Promise.all([
      once(child, 'close') as Promise<[number | null]>,
      text(child.stdout),
      text(child.stderr),
    ]);
    interrupted.throwIfAborted();
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`);
    return stdout;
  } finally {
    interrupted.removeEventListener('abort', end);
  }
}

function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

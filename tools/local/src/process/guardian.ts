import { type ChildProcess, spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { inheritedEnvironment } from './environment';

/** What waits beside this process for its end, on behalf of those who hold it. */
interface Guardian {
  process: ChildProcess;
  removes: boolean;
  holders: Set<object>;
}

const WORKSPACE = resolve(__dirname, '../../../..');
/** A line on standard input dismisses it. The end of input without one means that its owner is gone. */
const WAIT_AND_END = 'read -r _ || exec "$@"';

const guardians = new Map<string, Guardian>();

/**
 * From now until `letGo(holder)` a guardian stands ready: should this process end without a word, by SIGKILL or a crash, it ends
 * what this process has started under `dir`, and with `removes` takes `dir` away. It costs a sleeping shell, one for each
 * `dir` however many hold it, in a session of its own that no signal to our process group reaches.
 */
export function hold(dir: string, holder: object, { removes = false } = {}): void {
  const path = realpathSync(dir);
  const present = guardians.get(path);
  if (present && (present.removes || !removes)) {
    present.holders.add(holder);
    return;
  }
  const holders = new Set(present?.holders).add(holder);
  guardians.set(path, { process: start(path, removes), removes, holders });
  if (present) dismiss(present);
}

/** Ends `hold`; with the last holder the guardian goes. */
export function letGo(holder: object): void {
  for (const [path, guardian] of guardians) {
    if (!guardian.holders.delete(holder) || guardian.holders.size > 0) continue;
    guardians.delete(path);
    dismiss(guardian);
  }
}

function start(dir: string, removes: boolean): ChildProcess {
  const program = [...nodeOptions(), resolve(__dirname, `end-orphans${extension()}`)];
  const args = [process.execPath, ...program, dir, String(process.pid), ...(removes ? ['--remove'] : [])];
  const guardian = spawn('/bin/sh', ['-c', WAIT_AND_END, 'guardian', ...args], {
    cwd: '/',
    env: inheritedEnvironment(),
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guardian.on('error', () => undefined);
  guardian.stdin?.on('error', () => undefined);
  guardian.unref();
  (guardian.stdin as unknown as { unref(): void } | null)?.unref();
  return guardian;
}

function dismiss({ process: guardian }: Guardian): void {
  guardian.stdin?.end('dismissed\n');
}

/** Specs and the keeper of the test servers run from the sources, everything else from the build. */
function extension(): '.ts' | '.js' {
  return __filename.endsWith('.ts') ? '.ts' : '.js';
}

function nodeOptions(): string[] {
  if (extension() === '.js') return [];
  return ['--conditions=@parley/source', '-r', join(WORKSPACE, 'libs/testing/jest/register.js')];
}

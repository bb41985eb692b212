import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Every process that we start carries this variable, so that a reused process id is never taken for ours. */
const MARK = 'PARLEY_RUN_DIR';
/** The id of the process that started it. */
const OWNER_MARK = 'PARLEY_OWNER_PID';

/** The environment that marks a process as started for `dir` by this one. */
export function markOf(dir: string): Record<string, string> {
  return { [MARK]: realpathSync(dir), [OWNER_MARK]: String(process.pid) };
}

/**
 * Whether process `pid` is alive. A zombie counts as dead once its last thread has ended: until then its files are open,
 * and its ports are taken.
 */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = readProc(pid, 'stat');
  if (stat === undefined) return true;
  // Field 3 and field 20 of proc(5); the second may hold spaces, but nothing behind its parenthesis does.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return state !== 'Z' || Number(fields[16]) > 1;
}

/** Whether process `pid` is alive and was started for `dir`. */
export function isOurs(pid: number, dir: string): boolean {
  return carries(pid, `${MARK}=${realpathSync(dir)}`);
}

/** Whether process `pid` is alive and was started by process `ownerPid`. */
export function isOwnedBy(pid: number, ownerPid: number): boolean {
  return carries(pid, `${OWNER_MARK}=${ownerPid}`);
}

function carries(pid: number, mark: string): boolean {
  if (!isAlive(pid)) return false;
  const environment = readProc(pid, 'environ');
  if (environment !== undefined) return environment.split('\0').includes(mark);
  if (existsSync('/proc/self/environ')) return false;
  // Systems without /proc (macOS) show the environment of one's own processes through ps.
  return ` ${psField(pid, ['-E', '-ww'])} `.includes(` ${mark} `);
}

/** `pid` and everything below it, parents first. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const line of run('ps', ['-A', '-o', 'pid=,ppid=']).split('\n')) {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    if (child === undefined || parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const tree = [pid];
  for (const one of tree) tree.push(...(children.get(one) ?? []));
  return tree;
}

/** Sends `signal` to a process that may have ended meanwhile. */
export function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until no process of `pids` is alive. Returns whether that happened within `timeoutMs`. */
export async function waitUntilGone(pids: number[], timeoutMs: number): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  while (pids.some(isAlive)) {
    if (performance.now() > end) return false;
    await delay(20);
  }
  return true;
}

/** Where the id of process `name` of `dir` is kept while it runs. */
export function pidFileOf(dir: string, name: string): string {
  return join(dir, 'run', `${name}.pid`);
}

export function writePidFile(dir: string, name: string, pid: number): void {
  mkdirSync(join(dir, 'run'), { recursive: true });
  writeFileSync(pidFileOf(dir, name), `${pid}\n`);
}

export function removePidFile(dir: string, name: string): void {
  rmSync(pidFileOf(dir, name), { force: true });
}

/** The number in the pid file of `name`, whoever has it now. */
export function recordedPid(dir: string, name: string): number | undefined {
  try {
    return Number(readFileSync(pidFileOf(dir, name), 'utf8').trim());
  } catch {
    return undefined;
  }
}

/** The id in the pid file of `name`, when that process lives and is ours. */
export function readPidFile(dir: string, name: string): number | undefined {
  const pid = recordedPid(dir, name);
  if (pid === undefined) return undefined;
  return Number.isInteger(pid) && pid > 1 && isOurs(pid, dir) ? pid : undefined;
}

/** The names that have a pid file under `dir`. */
export function recordedNames(dir: string): string[] {
  const folder = join(dir, 'run');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.pid'))
    .map((file) => file.slice(0, -'.pid'.length));
}

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function psField(pid: number, options: string[]): string {
  return run('ps', [...options, '-p', String(pid), '-o', 'command=']);
}

function run(command: string, args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

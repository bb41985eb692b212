import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalError } from '../system/local-error';
import { inheritedEnvironment } from './environment';
import { hold, letGo } from './guardian';
import {
  markOf,
  processTree,
  removePidFile,
  signalQuietly,
  waitUntilGone,
  writePidFile,
} from './process-table';

export interface ProcessSpec {
  /** Unique under `dir`; names the pid file. */
  name: string;
  /** The directory that this process belongs to. */
  dir: string;
  command: string;
  args: string[];
  /** The whole environment besides PATH, HOME, LANG, TMPDIR and TZ: nothing else is inherited. */
  env?: Record<string, string>;
  cwd?: string;
  /** Standard output and error are appended here. */
  logFile: string;
  /** The signal of an orderly stop. */
  stopSignal: NodeJS.Signals;
  /** After this long an orderly stop becomes SIGKILL. */
  stopTimeoutMs: number;
}

const KILL_TIMEOUT_MS = 120_000;
const LOG_BYTES_MAX = 20 * 1024 * 1024;
const LOG_LINES_SHOWN = 15;

/**
 * One child process that we own: it runs in a process group of its own (so that Ctrl-C in the terminal reaches only us
 * and we stop things in order), its id is on disk while it lives and a guardian watches over it (so that it ends with us,
 * however we end), and it can be stopped, killed, frozen and started again.
 */
export class OwnedProcess {
  private child: ChildProcess | undefined;

  constructor(private readonly spec: ProcessSpec) {}

  get name(): string {
    return this.spec.name;
  }

  get logFile(): string {
    return this.spec.logFile;
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Starts the process. It is an error to start it twice. */
  start(): void {
    const { spec } = this;
    if (this.child) throw new Error(`${spec.name} runs already`);
    const log = openLog(spec.logFile);
    hold(spec.dir, this);
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...inheritedEnvironment(), ...spec.env, ...markOf(spec.dir) },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.child = child;
    const forget = (): void => {
      if (this.child === child) this.forgetChild();
    };
    child.once('error', forget);
    child.once('exit', forget);
    if (child.pid !== undefined) writePidFile(spec.dir, spec.name, child.pid);
  }

  /** Resolves when the running process ends; at once when none runs. */
  async ended(): Promise<void> {
    if (this.child) await once(this.child, 'exit');
  }

  /** Orderly stop; SIGKILL for whatever is left after `stopTimeoutMs`. Does nothing when it does not run. */
  async stop(): Promise<void> {
    const pid = this.pid;
    if (pid === undefined) return;
    const tree = processTree(pid);
    // A frozen process cannot hear the signal.
    for (const one of tree) signalQuietly(one, 'SIGCONT');
    signalQuietly(pid, this.spec.stopSignal);
    if (!(await waitUntilGone(tree, this.spec.stopTimeoutMs))) await this.kill();
    this.forgetDead(pid);
  }

  /** SIGKILL to the process and everything below it, at once. */
  async kill(): Promise<void> {
    const pid = this.pid;
    if (pid === undefined) return;
    const tree = processTree(pid);
    for (const one of tree) signalQuietly(one, 'SIGKILL');
    // Even SIGKILL waits for a write that the disk has not finished, which on a busy disk takes long.
    if (!(await waitUntilGone(tree, KILL_TIMEOUT_MS)))
      throw new Error(`${this.name} (process ${pid}) is not gone ${KILL_TIMEOUT_MS / 1000} s after SIGKILL`);
    this.forgetDead(pid);
  }

  /** SIGSTOP to the whole tree: the process holds its sockets but does nothing. */
  freeze(): void {
    if (this.pid === undefined) throw new Error(`${this.name} does not run`);
    for (const one of processTree(this.pid)) signalQuietly(one, 'SIGSTOP');
  }

  /** SIGCONT to the whole tree, children first so that a parent never sees a stopped child. */
  thaw(): void {
    if (this.pid === undefined) throw new Error(`${this.name} does not run`);
    for (const one of processTree(this.pid).reverse()) signalQuietly(one, 'SIGCONT');
  }

  /**
   * Polls `isReady` until it is true.
   * @throws LocalError with the last lines of the log when the process ends before, or after `timeoutMs`.
   */
  async waitUntil(isReady: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!(await isReady())) {
      if (this.pid === undefined) throw this.startFailure('ended while it was starting');
      if (performance.now() > end) throw this.startFailure(`was not ready after ${timeoutMs / 1000} s`);
      await delay(50);
    }
  }

  private startFailure(what: string): LocalError {
    const tail = lastLines(this.logFile);
    const advice = /No space left on device|ENOSPC/i.test(tail)
      ? 'The disk is full: free some space and start again.'
      : `Look at ${this.logFile}.`;
    return new LocalError(`${this.name} ${what}. The last lines of its log:\n${tail}`, advice);
  }

  /** The exit event of a child may come a tick after the kernel has dropped it; callers may start again at once. */
  private forgetDead(pid: number): void {
    if (this.pid === pid) this.forgetChild();
  }

  private forgetChild(): void {
    this.child = undefined;
    removePidFile(this.spec.dir, this.name);
    letGo(this);
  }
}

/** The last lines of a log file, indented, for messages. */
export function lastLines(file: string, count = LOG_LINES_SHOWN): string {
  if (!existsSync(file)) return '  (no log)';
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
  return lines.map((line) => `  ${line}`).join('\n');
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file) && statSync(file).size > LOG_BYTES_MAX) renameSync(file, `${file}.1`);
  return openSync(file, 'a');
}

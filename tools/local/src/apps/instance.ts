import { join } from 'node:path';
import { answersOk } from '../system/http';
import { OwnedProcess, type ProcessSpec } from '../process/owned-process';

/** One running process of ours that serves HTTP: an app instance or the gateway. */
export interface Instance {
  /** e.g. `realtime-2`; also the name of its log. */
  readonly name: string;
  readonly port: number;
  /** Base address on loopback. */
  readonly url: string;
  readonly logFile: string;
  /** The process id while it runs. */
  readonly pid: number | undefined;
  /** Starts it on the same port and waits until it is ready. */
  start(): Promise<void>;
  /** SIGTERM: it drains and ends. */
  stop(): Promise<void>;
  /** SIGKILL, as in a crash. */
  kill(): Promise<void>;
  /** Resolves when it ends, for whatever reason; at once when it does not run. */
  ended(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Whether it says of itself that it can work (`readyUrl` answers 200). */
  isReady(): Promise<boolean>;
}

/** One that can run another build of the same program. */
export interface MovableInstance extends Instance {
  /** The next start takes the program from that workspace. */
  runFrom(workspace: string): void;
}

/** A program of the workspace that runs under Node. */
export interface InstanceSpec {
  name: string;
  dir: string;
  workspace: string;
  port: number;
  /** Path of the program below the workspace, and its arguments. */
  program: string;
  args?: string[];
  env: Record<string, string>;
  readyUrl: string;
  /** Base address, where it is not http on 127.0.0.1. */
  url?: string;
}

const START_TIMEOUT_MS = 90_000;
/** Above the apps' own DRAIN_TIMEOUT_MS of 15 s. */
const STOP_TIMEOUT_MS = 25_000;

export function createInstance(spec: InstanceSpec): MovableInstance {
  const argsFrom = (workspace: string): string[] => [join(workspace, spec.program), ...(spec.args ?? [])];
  const program = {
    command: process.execPath,
    args: argsFrom(spec.workspace),
    env: { NODE_ENV: 'production', ...spec.env },
    cwd: spec.workspace,
  };
  const runFrom = (workspace: string): void => {
    program.args.splice(0, program.args.length, ...argsFrom(workspace));
  };
  return Object.assign(instanceOf(spec, program), { runFrom });
}

/** The same for any program. */
export function instanceOf(
  spec: Pick<InstanceSpec, 'name' | 'dir' | 'port' | 'readyUrl' | 'url'>,
  program: Pick<ProcessSpec, 'command' | 'args' | 'env' | 'cwd'>,
): Instance {
  const owned = new OwnedProcess({
    ...program,
    name: spec.name,
    dir: spec.dir,
    logFile: join(spec.dir, 'logs', `${spec.name}.log`),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_TIMEOUT_MS,
  });
  const isReady = (): Promise<boolean> => answersOk(spec.readyUrl);
  return {
    name: spec.name,
    port: spec.port,
    url: spec.url ?? `http://127.0.0.1:${spec.port}`,
    logFile: owned.logFile,
    get pid() {
      return owned.pid;
    },
    async start() {
      owned.start();
      await owned.waitUntil(isReady, START_TIMEOUT_MS);
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    ended: () => owned.ended(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
    isReady,
  };
}

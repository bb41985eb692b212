import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyFiles, keyEnvironment } from '../keys';
import { freePort } from '../system/ports';
import { LocalError } from '../system/local-error';
import { bounded } from './bounded';
import { type AppName, APPS, type Scale } from './catalogue';
import { createInstance, type MovableInstance } from './instance';

export interface AppInstance extends MovableInstance {
  readonly app: AppName;
}

export interface Apps {
  readonly instances: readonly AppInstance[];
  of(app: AppName): AppInstance[];
  /** Stops what lets traffic in first, then the rest. */
  stop(): Promise<void>;
}

export interface AppsSetup {
  /** Root of the built workspace. */
  workspace: string;
  /** The run directory: logs go to `<dir>/logs/<app>-<n>.log`. */
  dir: string;
  /** DATABASE_URL, REDIS_URL and AMQP_URL. */
  environment: Record<string, string>;
  keys: KeyFiles;
  /** Which apps; all where nothing is said. */
  apps?: readonly AppName[];
  scale?: Scale;
  /** More variables, for every app or for the named ones. */
  env?: Record<string, string>;
  envOf?: Partial<Record<AppName, Record<string, string>>>;
  /** Once aborted, nothing more is started and what runs is stopped. */
  signal?: AbortSignal;
  /** Called when an instance is ready. */
  onReady?: (name: string) => void;
}

/** A start costs a core for about a second; more at once only makes each slower. */
const STARTS_AT_ONCE = 3;

/**
 * Starts the instances of every app on free loopback ports and waits until all are ready. Migrations must have run.
 * @throws LocalError with the last lines of its log when one does not come up; the others are stopped again.
 */
export async function startApps(setup: AppsSetup): Promise<Apps> {
  const instances = await Promise.all(namesOf(setup).map(({ app, name }) => prepare(setup, app, name)));
  const stop = (): Promise<void> => stopInOrder(instances);
  try {
    await bounded(STARTS_AT_ONCE, instances, async (instance) => {
      setup.signal?.throwIfAborted();
      await instance.start();
      setup.onReady?.(instance.name);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { instances, of: (app) => instances.filter((instance) => instance.app === app), stop };
}

/** The environment of one app, besides its port. */
export function environmentOf(setup: AppsSetup, app: AppName): Record<string, string> {
  return {
    ...setup.environment,
    ...keyEnvironment(setup.keys, app),
    HOST: '127.0.0.1',
    ...setup.env,
    ...setup.envOf?.[app],
  };
}

function namesOf({ apps = APPS, scale = {} }: AppsSetup): { app: AppName; name: string }[] {
  return apps.flatMap((app) =>
    Array.from({ length: scale[app] ?? 1 }, (_, index) => ({ app, name: `${app}-${index + 1}` })),
  );
}

async function prepare(setup: AppsSetup, app: AppName, name: string): Promise<AppInstance> {
  const program = `apps/${app}/dist/main.js`;
  if (!existsSync(join(setup.workspace, program)))
    throw new LocalError(`${program} is not there.`, 'Build first: npx nx run-many -t build');
  const port = await freePort();
  const instance = createInstance({
    name,
    dir: realpathSync(setup.dir),
    workspace: setup.workspace,
    port,
    program,
    env: { ...environmentOf(setup, app), PORT: String(port) },
    readyUrl: `http://127.0.0.1:${port}/health/ready`,
  });
  return Object.assign(instance, { app });
}

async function stopInOrder(instances: AppInstance[]): Promise<void> {
  const doors = instances.filter(({ app }) => app === 'realtime');
  await Promise.all(doors.map((instance) => instance.stop()));
  await Promise.all(instances.filter(({ app }) => app !== 'realtime').map((instance) => instance.stop()));
}

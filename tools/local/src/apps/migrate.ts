import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../process/environment';
import { LocalError } from '../system/local-error';
import { type AppsSetup, environmentOf } from './apps';
import { bounded } from './bounded';
import { APPS_WITH_TABLES } from './catalogue';

const run = promisify(execFile);
const AT_ONCE = 2;

/**
 * Brings the tables of every app to the state of its code; one that is there already costs half a second.
 * @throws LocalError with what the migration printed.
 */
export async function migrate(setup: AppsSetup): Promise<void> {
  const apps = APPS_WITH_TABLES.filter((app) => setup.apps?.includes(app) ?? true);
  await bounded(AT_ONCE, apps, async (app) => {
    const program = join(setup.workspace, 'apps', app, 'dist/migrate.js');
    try {
      await run(process.execPath, [program], {
        cwd: setup.workspace,
        env: { ...inheritedEnvironment(), ...environmentOf(setup, app) },
        maxBuffer: 16 * 1024 * 1024,
      });
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new LocalError(
        `The migration of ${app} failed:\n${`${stdout}${stderr}`.trim().slice(0, 2_000)}`,
        'The database keeps its state of before. Mend the cause and start again.',
      );
    }
  });
}

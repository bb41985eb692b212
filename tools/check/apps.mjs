// The deployable apps: every folder of apps/ with a main program.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const has = (app, file) => existsSync(join(workspace, 'apps', app, 'src', file));

export const APPS = readdirSync(join(workspace, 'apps'))
  .filter((app) => has(app, 'main.ts'))
  .sort();

/** Those with tables of their own. */
export const APPS_WITH_TABLES = APPS.filter((app) => has(app, 'migrate.ts'));

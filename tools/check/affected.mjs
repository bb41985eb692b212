// Says for CI which images a push changes, as `apps=["auth",…]`. BASE is the commit before it; with RELEASE=true, or where
// BASE is not known, it is all of them.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { APPS } from './apps.mjs';
import { workspace } from '../local/prepare.mjs';

const { BASE = '', RELEASE } = process.env;
const all = [...APPS, 'render'];
/** What every image is made from, beside the projects that Nx knows. */
const EVERYTHING = /^(docker\/Dockerfile|\.dockerignore|package(-lock)?\.json|\.swcrc|tsconfig\.base\.json)$/;

console.log(`apps=${JSON.stringify(RELEASE === 'true' || !known(BASE) ? all : affected())}`);

function affected() {
  const changed = run('git', ['diff', '--name-only', BASE, 'HEAD']).split('\n');
  if (changed.some((file) => EVERYTHING.test(file))) return all;
  const nx = join(workspace, 'node_modules/nx/dist/bin/nx.js');
  const args = [nx, 'show', 'projects', '--affected', '--base', BASE, '--head', 'HEAD', '--json'];
  const projects = new Set(JSON.parse(run(process.execPath, args)));
  const rendering = changed.includes('docker/kong/kong.yml') || projects.has('@parley/tool-gateway');
  const documents = changed.some((file) => file.startsWith('docs/api/'));
  return [
    ...APPS.filter((app) => projects.has(`@parley/${app}`) || (app === 'auth' && documents)),
    ...(rendering ? ['render'] : []),
  ];
}

function known(commit) {
  try {
    run('git', ['cat-file', '-e', `${commit}^{commit}`]);
    return true;
  } catch {
    return false;
  }
}

function run(command, args) {
  return execFileSync(command, args, {
    cwd: workspace,
    encoding: 'utf8',
    env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

// Says for CI what a change affects, one line each: `apps=["auth",…]`, the images that are made from it, and
// `projects=auth,broker`, those whose tests it may break (`all`, `none`). BASE is the commit before the change; with
// RELEASE=true, or where BASE is not known, it is everything.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { APPS } from './apps.mjs';
import { workspace } from '../local/prepare.mjs';

const { BASE = '', RELEASE } = process.env;
const everyImage = [...APPS, 'render'];
/** What every image is made from, beside the projects that Nx knows. */
const EVERYTHING =
  /^(docker\/(Dockerfile|prune\.mjs)|\.dockerignore|package(-lock)?\.json|\.swcrc|tsconfig\.base\.json)$/;
/** Beside the projects, what no test reads: pages, and the workflows. All else is read by tests of several projects. */
const NOT_TESTED = /^(\.github\/|docs\/(?!api\/)|[^/]+\.md$|\.prettier)/;
/** These run the built apps and the gateway's stand-in, of which Nx sees nothing. */
const RUN_APPS = [
  'e2e',
  'tool-deployment',
  'tool-faults',
  'tool-load',
  'tool-local',
  'tool-monitoring',
  'tool-width',
];

const isKnown = RELEASE !== 'true' && known(BASE);
const changed = isKnown
  ? run('git', ['diff', '--name-only', '--no-renames', BASE, 'HEAD']).trim().split('\n')
  : [];
const projects = new Set(isKnown ? affectedProjects() : []);
console.log(`apps=${JSON.stringify(isKnown ? images() : everyImage)}`);
console.log(`projects=${isKnown ? tested() : 'all'}`);

function affectedProjects() {
  const nx = join(workspace, 'node_modules/nx/dist/bin/nx.js');
  const args = [nx, 'show', 'projects', '--affected', '--base', BASE, '--head', 'HEAD', '--json'];
  return JSON.parse(run(process.execPath, args));
}

function images() {
  if (changed.some((file) => EVERYTHING.test(file))) return everyImage;
  const rendering = changed.includes('docker/kong/kong.yml') || projects.has('@parley/tool-gateway');
  const documents = changed.some((file) => file.startsWith('docs/api/'));
  return [
    ...APPS.filter((app) => projects.has(`@parley/${app}`) || (app === 'auth' && documents)),
    ...(rendering ? ['render'] : []),
  ];
}

/** As jest names them. */
function tested() {
  const inProjects = /^(apps|libs|tools)\/([^/]+)\//;
  if (changed.some((file) => file && !inProjects.test(file) && !NOT_TESTED.test(file))) return 'all';
  const names = new Set([...projects].map((name) => name.replace('@parley/', '')));
  if ([...APPS, 'tool-gateway'].some((name) => names.has(name))) RUN_APPS.forEach((name) => names.add(name));
  return (
    [...names]
      .map((name) => name.replace(/^tool-/, ''))
      .sort()
      .join() || 'none'
  );
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

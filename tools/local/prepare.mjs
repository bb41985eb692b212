// What can be done with nothing but Node: check its version, install the locked packages where they are missing or
// stale, build what changed. `npm start`, `npm test` and `npm run check` begin with it.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const workspace = resolve(fileURLToPath(import.meta.url), '../../..');

/** Leaves node_modules as the lock wants it and every project built. Ends the process with advice where it cannot. */
export function prepare() {
  requireNode();
  if (!isInstalled()) {
    say('Installing the locked packages (about a minute, one time)');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  }
  say('Building what changed');
  build();
}

function requireNode() {
  const wanted = readJson('package.json').engines.node.replace(/[^\d.]/g, '');
  const order = wanted.localeCompare(process.versions.node, 'en', { numeric: true });
  if (order <= 0) return;
  fail(
    `parley needs Node ${wanted} or newer; this is ${process.versions.node}.`,
    `Install a current Node (https://nodejs.org) and start again.`,
  );
}

/**
 * Whether node_modules holds exactly what the lock says: npm writes what it installed into a lock of its own, which
 * leaves out the packages for other platforms.
 */
function isInstalled() {
  const locked = readJson('package-lock.json').packages;
  let installed;
  try {
    installed = readJson('node_modules/.package-lock.json').packages;
  } catch {
    return false;
  }
  const same = ([path, { version, resolved, integrity }]) =>
    locked[path] &&
    locked[path].version === version &&
    locked[path].integrity === integrity &&
    locked[path].resolved === resolved;
  const missing = ([path, entry]) => path.startsWith('node_modules/') && !entry.optional && !installed[path];
  return Object.entries(installed).every(same) && !Object.entries(locked).some(missing);
}

function build() {
  const env = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', FORCE_COLOR: '0' };
  const nx = join(workspace, 'node_modules/nx/dist/bin/nx.js');
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [nx, 'run-many', '-t', 'build'], {
    cwd: workspace,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}${error ? `${error.message}\n` : ''}`);
  fail(
    'The build failed; the output above says where.',
    diskAdvice(`${stdout}${stderr}`) ?? 'Mend it and start again.',
  );
}

/** Makes the certificates of a run directory, where they are missing, and the environment in which Node trusts them. */
export function trustOwnAuthority(runDir) {
  const folder = join(runDir, 'certificates');
  run(process.execPath, ['docker/certificates.mjs', folder]);
  return { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
}

/**
 * Runs a Node program of this workspace in our place: same terminal, same signals, same exit code. `atEnd` is called after it.
 */
export function become(program, args, env = {}, atEnd = () => undefined) {
  const child = spawn(process.execPath, [join(workspace, program), ...args], {
    cwd: workspace,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  // Ctrl-C reaches the child by itself, as a member of the terminal's foreground group; we only wait for it.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('exit', (code, signal) => {
    atEnd();
    process.exit(code ?? (signal ? 1 : 0));
  });
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: workspace, stdio: 'inherit' });
  if (status === 0) return;
  fail(
    `${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}.`,
    diskAdvice(error?.message) ?? 'The lines above say why. Is there a connection to the package registry?',
  );
}

function diskAdvice(text = '') {
  return /ENOSPC|No space left/i.test(text)
    ? 'The disk is full: free about 3 GB and start again.'
    : undefined;
}

function readJson(path) {
  return JSON.parse(readFileSync(join(workspace, path), 'utf8'));
}

function say(line) {
  console.log(`  ${line}`);
}

function fail(message, advice) {
  console.error(`\n  ${message}\n  ${advice}\n`);
  process.exit(1);
}

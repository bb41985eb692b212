// What can be done with nothing but Node: check its version, install the locked packages where they are missing or
// stale, build what changed. `npm start`, `npm test` and `npm run check` begin with it.
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, launchNode } from './launch.mjs';

const MONTH_MS = 30 * 24 * 3600 * 1000;
export const workspace = resolve(fileURLToPath(import.meta.url), '../../..');

/** Leaves node_modules as the lock wants it and every project built. Ends the process with advice where it cannot. */
export async function prepare() {
  requireNode();
  if (!isInstalled()) {
    say('Installing the locked packages (about a minute, one time)');
    const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
    succeed(`npm ${args.join(' ')}`, await launch('npm', args, { cwd: workspace }));
  }
  say('Building what changed');
  await build();
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

async function build() {
  const env = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', FORCE_COLOR: '0' };
  const nx = join(workspace, 'node_modules/nx/dist/bin/nx.js');
  const { status, stdout, stderr, error, asked } = await launchNode([nx, 'run-many', '-t', 'build'], {
    cwd: workspace,
    env,
    quiet: true,
  });
  if (asked) process.exit(asked);
  if (status === 0) return;
  process.stderr.write(`${stdout}${stderr}${error ? `${error.message}\n` : ''}`);
  fail(
    'The build failed; the output above says where.',
    diskAdvice(`${stdout}${stderr}`) ?? 'Mend it and start again.',
  );
}

/**
 * With `--tls` among the arguments: makes the certificates of a run directory, where they are missing or end within a
 * month. Returns the environment in which a program trusts them, for Node reads whom it trusts once, at its start.
 */
export async function trustOwnAuthority(args, runDir = join(workspace, '.local')) {
  if (!args.includes('--tls')) return {};
  const folder = join(runDir, 'certificates');
  await certificates(...(endsSoon(join(folder, 'gateway.pem')) ? ['renew', folder] : [folder]));
  return trustOf(folder);
}

/** The same with those of docker/, which are an operator's: they may be anybody's, and are renewed by him alone. */
export async function trustDockerAuthority(args) {
  if (!args.includes('--tls')) return {};
  await certificates();
  return trustOf(join(workspace, 'docker/certificates'));
}

async function certificates(...args) {
  const command = ['docker/certificates.mjs', ...args];
  succeed(`node ${command.join(' ')}`, await launchNode(command, { cwd: workspace }));
}

function trustOf(folder) {
  return { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') };
}

function endsSoon(file) {
  try {
    return Date.parse(new X509Certificate(readFileSync(file)).validTo) < Date.now() + MONTH_MS;
  } catch {
    return false;
  }
}

/** Runs a Node program of this workspace in our place: same terminal, same signals, same exit code. `atEnd` is waited for after it. */
export async function become(program, args, env = {}, atEnd = () => undefined) {
  const { status } = await launchNode([join(workspace, program), ...args], {
    cwd: workspace,
    env: { ...process.env, ...env },
    atEnd,
  });
  process.exit(status);
}

function succeed(command, { status, error, asked }) {
  if (asked) process.exit(asked);
  if (status === 0) return;
  fail(
    `${command} failed${error ? `: ${error.message}` : ''}.`,
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

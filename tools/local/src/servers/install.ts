import { execFile, execFileSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { LocalError } from '../system/local-error';
import { type Binaries, findBinaries, findIn } from './binaries';

const run = promisify(execFile);
const POLICY_FILE = '/usr/sbin/policy-rc.d';

/**
 * The programs of all three servers, installed with apt-get first where they are missing and we may.
 * @throws LocalError with the command to run where we may not.
 */
export async function requireBinaries(onProgress: (line: string) => void): Promise<Binaries> {
  const before = findBinaries();
  if (before.found) return before.found;
  await installPackages(before.missing, onProgress);
  const after = findBinaries();
  if (after.found) return after.found;
  throw new LocalError(
    `apt-get ran, but these are still missing: ${after.missing.join(', ')}.`,
    `Install them by hand, then start again:\n  ${command(after.missing)}`,
  );
}

/**
 * The path of a program that comes in a package of its own name, which is installed first where it is missing.
 * @throws LocalError where that may not be done, or does not bring it.
 */
export async function requireProgram(name: string, onProgress: (line: string) => void): Promise<string> {
  const found = findIn(name, []);
  if (found) return found;
  await installPackages([name], onProgress);
  const installed = findIn(name, []);
  if (installed) return installed;
  throw new LocalError(
    `apt-get ran, but ${name} is still missing.`,
    `Install it by hand, then start again:\n  ${command([name])}`,
  );
}

/**
 * Installs system packages, where we may.
 * @throws LocalError with the command to run where we may not, or where it fails.
 */
async function installPackages(missing: string[], onProgress: (line: string) => void): Promise<void> {
  const rights = aptRights();
  if (!rights) {
    throw new LocalError(
      `Missing on this machine: ${missing.join(', ')}.`,
      `Run this, then start again:\n  ${command(missing)}`,
    );
  }
  onProgress(`Installing ${missing.join(', ')} with apt-get (one time)`);
  await aptInstall(rights.prefix, missing);
}

/** How apt-get may be called here: as root, through a sudo that asks nothing, or (undefined) not at all. */
function aptRights(): { prefix: string[] } | undefined {
  if (!succeeds('apt-get', ['--version'])) return undefined;
  if (process.getuid?.() === 0) return { prefix: [] };
  return succeeds('sudo', ['-n', 'true']) ? { prefix: ['sudo', '-n'] } : undefined;
}

async function aptInstall(prefix: string[], packages: string[]): Promise<void> {
  const apt = async (...args: string[]): Promise<void> => {
    const [program = '', ...rest] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    await run(program, rest, { maxBuffer: 64 * 1024 * 1024 });
  };
  const allowServices = forbidServiceStart(prefix);
  try {
    await apt('update', '-q');
    await apt('install', '-y', '-q', '--no-install-recommends', ...packages);
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new LocalError(
      `apt-get failed:\n${stderr
        .trimEnd()
        .split('\n')
        .slice(-8)
        .map((line) => `  ${line}`)
        .join('\n')}`,
      `Run this by hand, then start again:\n  ${command(packages)}`,
    );
  } finally {
    allowServices();
  }
}

/**
 * The packages would start system-wide servers, which we neither use nor want to leave behind; a policy file keeps
 * them from it during the installation. Returns what takes the policy back.
 */
function forbidServiceStart(prefix: string[]): () => void {
  if (existsSync(POLICY_FILE)) return () => undefined;
  if (prefix.length === 0) {
    writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    return () => rmSync(POLICY_FILE, { force: true });
  }
  const [sudo = '', ...options] = prefix;
  const script = `printf '#!/bin/sh\\nexit 101\\n' > ${POLICY_FILE} && chmod 755 ${POLICY_FILE}`;
  execFileSync(sudo, [...options, 'sh', '-c', script]);
  return () => void execFileSync(sudo, [...options, 'rm', '-f', POLICY_FILE]);
}

function command(missing: string[]): string {
  if (succeeds('apt-get', ['--version']))
    return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (succeeds('dnf', ['--version']))
    return `sudo dnf install -y ${missing.map((name) => FEDORA[name] ?? name).join(' ')}`;
  if (succeeds('brew', ['--version']))
    return `brew install ${missing.map((name) => HOMEBREW[name] ?? name).join(' ')}`;
  return `(install PostgreSQL 15+, Redis 7+ and RabbitMQ 3.10+ with your package manager)`;
}

const FEDORA: Record<string, string> = { postgresql: 'postgresql-server', 'redis-server': 'redis' };
const HOMEBREW: Record<string, string> = {
  postgresql: 'postgresql@15',
  'redis-server': 'redis',
  'rabbitmq-server': 'rabbitmq',
};

function succeeds(program: string, args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

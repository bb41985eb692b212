import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Paths of the programs that the servers need. */
export interface Binaries {
  initdb: string;
  postgres: string;
  redisServer: string;
  rabbitmqServer: string;
  epmd: string;
}

/** Debian's /usr/sbin/rabbitmq-server changes to user rabbitmq and drops the environment; the real one comes first. */
const RABBITMQ_DIRS = [
  '/usr/lib/rabbitmq/bin',
  '/opt/homebrew/opt/rabbitmq/sbin',
  '/usr/local/opt/rabbitmq/sbin',
];
const ERLANG_DIRS = ['/usr/lib/erlang/bin', '/opt/homebrew/opt/erlang/bin', '/usr/local/opt/erlang/bin'];
const HOMEBREW_POSTGRES = ['/opt/homebrew/opt', '/usr/local/opt'];

/** Looks for every program. `missing` names the packages that must be installed first. */
export function findBinaries(): { found: Binaries | undefined; missing: string[] } {
  const initdb = findIn('initdb', postgresDirs());
  const postgres = findIn('postgres', postgresDirs());
  const redisServer = findIn('redis-server', []);
  const rabbitmqServer = findIn('rabbitmq-server', RABBITMQ_DIRS);
  const epmd = findIn('epmd', ERLANG_DIRS);
  const missing = [
    ...(initdb && postgres ? [] : ['postgresql']),
    ...(redisServer ? [] : ['redis-server']),
    ...(rabbitmqServer && epmd ? [] : ['rabbitmq-server']),
  ];
  if (!initdb || !postgres || !redisServer || !rabbitmqServer || !epmd) return { found: undefined, missing };
  return { found: { initdb, postgres, redisServer, rabbitmqServer, epmd }, missing };
}

/** The load balancer, which only some tests need (`npm test` installs it); undefined where it is not installed. */
export function findHaproxy(): string | undefined {
  return findIn('haproxy', []);
}

/** Debian keeps the server's programs out of PATH, one folder per version; the newest comes first. */
function postgresDirs(): string[] {
  const debian = subfolders('/usr/lib/postgresql', /^\d+$/).map((version) => join(version, 'bin'));
  const homebrew = HOMEBREW_POSTGRES.flatMap((dir) => subfolders(dir, /^postgresql(@\d+)?$/));
  return [...debian, ...homebrew.map((dir) => join(dir, 'bin'))];
}

function subfolders(dir: string, pattern: RegExp): string[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).filter((name) => pattern.test(name));
  return names.sort((a, b) => b.localeCompare(a, 'en', { numeric: true })).map((name) => join(dir, name));
}

/** The first executable of this name: in `first`, then in PATH. */
export function findIn(program: string, first: string[]): string | undefined {
  const path = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return [...first, ...path, '/usr/sbin', '/sbin'].map((dir) => join(dir, program)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

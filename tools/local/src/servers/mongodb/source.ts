import { execFileSync } from 'node:child_process';
import { findIn } from '../binaries';

/** What a MongoDB server can be had from, best first: one that runs, a real one, FerretDB as a program or to be built. */
export type MongoSource =
  | { how: 'given'; url: string }
  | { how: 'mongod'; program: string }
  | { how: 'ferretdb'; program: string }
  | { how: 'build'; go: string };

/** Go as its own installer leaves it, without a line in PATH. */
const GO_DIRS = ['/usr/local/go/bin'];

/** Why there is none, and what would mend it, for people. */
export const NO_MONGO = {
  message: 'there is no MONGODB_URL, and neither mongod, ferretdb nor Go on this machine.',
  advice:
    'Install MongoDB 5 or newer (https://www.mongodb.com/docs/manual/installation), or Go 1.24 or newer (https://go.dev/dl)\n' +
    'to build FerretDB in its place, or name a server: MONGODB_URL=mongodb://user:password@host:27017/parley',
} as const;

/** Looks only, at no cost: synchronously, for jest decides at once which suites there are. */
export function findMongo(env: NodeJS.ProcessEnv): MongoSource | undefined {
  if (env['MONGODB_URL']) return { how: 'given', url: env['MONGODB_URL'] };
  const mongod = findIn('mongod', []);
  if (mongod) return { how: 'mongod', program: mongod };
  const ferretdb = findIn('ferretdb', []);
  if (ferretdb && runs(ferretdb)) return { how: 'ferretdb', program: ferretdb };
  const go = findIn('go', GO_DIRS);
  return go !== undefined && fetchesItsVersion(go) ? { how: 'build', go } : undefined;
}

/** FerretDB wants Go 1.24; from 1.21 on, an older one fetches it. */
function fetchesItsVersion(go: string): boolean {
  try {
    const [, minor] = /go1\.(\d+)/.exec(execFileSync(go, ['version'], { encoding: 'utf8' })) ?? [];
    return Number(minor) >= 21;
  } catch {
    return false;
  }
}

/** What `go install` makes of FerretDB's own command ends at once with a complaint about its version. */
function runs(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

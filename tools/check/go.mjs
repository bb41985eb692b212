// Programs in Go that a check would like to have: built where Go is there and its module proxy answers, once, into `.local`.
// Go verifies checksums. Without them the check says what it skips.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const BUILD_TIMEOUT_MS = 300_000;

/** The command `go`, also where its own installer leaves it without a line in PATH; undefined where there is none. */
export function findGo() {
  return ['go', '/usr/local/go/bin/go'].find((name) => !spawnSync(name, ['version']).error);
}

/** `{program}` or `{problem}`: a command of somebody's module, `github.com/…/cmd/name@v1.2.3`. */
export function installed(command) {
  const [, name, version] = /([^/]+)@(.+)$/.exec(command);
  const bin = join(workspace, '.local/go', `${name}-${version}`);
  return built(join(bin, name), ['install', command], { GOBIN: bin });
}

/** `{program}` or `{problem}`: what lies in `folder` of the workspace, a module with its sums. */
export function compiled(folder) {
  const source = join(workspace, folder);
  const hash = createHash('sha256');
  for (const file of readdirSync(source).sort()) hash.update(readFileSync(join(source, file)));
  const bin = join(
    workspace,
    '.local/go',
    `${folder.replaceAll('/', '-')}-${hash.digest('hex').slice(0, 16)}`,
  );
  const program = join(bin, 'program');
  mkdirSync(bin, { recursive: true });
  return built(program, ['build', '-trimpath', '-buildvcs=false', '-o', program, '.'], {}, source);
}

function built(program, args, env, cwd = workspace) {
  if (existsSync(program)) return { program };
  const go = findGo();
  if (!go) return { problem: 'Go is not installed' };
  const { status, stderr, error } = spawnSync(go, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', ...env },
    timeout: BUILD_TIMEOUT_MS,
  });
  if (status === 0) return { program };
  const said = (stderr ?? '').split('\n').filter((line) => line && !line.startsWith('go: downloading'));
  return { problem: `Go could not build it: ${error?.message ?? said.at(-1) ?? 'no word why'}` };
}

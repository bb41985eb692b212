import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { run } from '../system/run';

/** Root of the present build. */
export const WORKSPACE = resolve(__dirname, '../../../..');
const OWN_SCOPE = '@parley';

/**
 * Builds the apps of a commit in a work tree of its own under `.local/builds`, once. They run on the packages that are
 * installed here. Undefined, loudly, where git has no history to build from (a source archive, a shallow clone).
 *
 * @throws Error when the commit is there and does not build; the reason of `interrupted` once that is aborted: nothing of
 * the build runs then
 */
export async function buildOf(
  ref: string,
  say: (line: string) => void,
  interrupted: AbortSignal,
): Promise<string | undefined> {
  const commit = await commitOf(ref, interrupted);
  if (commit === undefined) {
    say(`${ref} is no commit of this clone, so there is no former release to run beside this one.`);
    say('A whole clone has it: git fetch --unshallow --tags');
    return undefined;
  }
  const dir = join(WORKSPACE, '.local', 'builds', commit);
  const done = join(dir, '.local-build-done');
  if (existsSync(done)) return dir;
  say(`Building ${ref} (${commit.slice(0, 7)}) in ${dir}`);
  if (!existsSync(join(dir, 'package.json'))) {
    mkdirSync(join(dir, '..'), { recursive: true });
    const here = { cwd: WORKSPACE, interrupted };
    await run('git', ['worktree', 'prune'], here);
    await run('git', ['worktree', 'add', '--detach', '--force', dir, commit], here);
  }
  const projects = projectsOf(dir);
  linkPackages(dir, projects);
  for (const { path } of projects) await run('npm', ['run', 'build', '--silent'], { cwd: path, interrupted });
  writeFileSync(done, commit);
  return dir;
}

async function commitOf(ref: string, interrupted: AbortSignal): Promise<string | undefined> {
  try {
    const args = ['rev-parse', '--verify', '--quiet', `${ref}^{commit}`];
    return (await run('git', args, { cwd: WORKSPACE, interrupted })).trim();
  } catch {
    interrupted.throwIfAborted();
    return undefined;
  }
}

interface Project {
  name: string;
  path: string;
}

/** Libraries and apps that are built by a script of their own. */
function projectsOf(dir: string): Project[] {
  return ['libs', 'apps'].flatMap((group) =>
    readdirSync(join(dir, group)).flatMap((folder) => {
      const path = join(dir, group, folder);
      const file = join(path, 'package.json');
      if (!existsSync(file)) return [];
      const { name, scripts } = JSON.parse(readFileSync(file, 'utf8')) as {
        name: string;
        scripts?: Record<string, string>;
      };
      return scripts?.['build'] === undefined ? [] : [{ name, path }];
    }),
  );
}

/** The packages of others are those installed here; ours are those of that commit. */
function linkPackages(dir: string, projects: Project[]): void {
  const modules = join(dir, 'node_modules');
  mkdirSync(join(modules, OWN_SCOPE), { recursive: true });
  const link = (target: string, name: string): void => {
    if (!existsSync(join(modules, name))) symlinkSync(target, join(modules, name));
  };
  const installed = join(WORKSPACE, 'node_modules');
  for (const entry of readdirSync(installed)) if (entry !== OWN_SCOPE) link(join(installed, entry), entry);
  for (const { name, path } of projects) link(path, name);
}

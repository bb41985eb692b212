// `npm run check`: runs every `check:…` script of package.json and says which hold. With `--summary FILE` it also
// writes {passed, failed} there. All run, even when one fails, so that one run shows everything. `check:image` takes
// minutes, so it tries one app here; CI tries all.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { prepare, workspace } from '../local/prepare.mjs';

const { values } = parseArgs({ options: { summary: { type: 'string' } } });
await prepare();
const { scripts } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'));
const ARGUMENTS = { 'check:image': ['--', '--app', 'auth'] };
const names = Object.keys(scripts).filter((name) => name.startsWith('check:'));
const failed = names.filter((name) => !holds(name));
console.log(`\n  checks: ${names.length - failed.length} passed, ${failed.length} failed`);
if (failed.length > 0) console.log(`  again, one alone: npm run ${failed[0]}`);
if (values.summary)
  writeFileSync(
    values.summary,
    JSON.stringify({ passed: names.length - failed.length, failed: failed.length }),
  );
process.exit(failed.length > 0 ? 1 : 0);

function holds(name) {
  const begin = performance.now();
  const { status, stdout, stderr, error } = spawnSync(
    'npm',
    ['run', '--silent', name, ...(ARGUMENTS[name] ?? [])],
    {
      cwd: workspace,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' },
    },
  );
  const seconds = ((performance.now() - begin) / 1000).toFixed(0);
  console.log(`  ${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  for (const line of (stdout ?? '').split('\n').filter((one) => one.startsWith('SKIPPED')))
    console.log(`         ${line}`);
  if (status !== 0) console.log(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`);
  return status === 0;
}

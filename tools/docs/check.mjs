// `npm run check:api`: the documents in docs/api are what the contracts give now, and are valid.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fromFile, Parser } from '@asyncapi/parser';
import { prepare, workspace } from '../local/prepare.mjs';

await prepare();
const { documents } = createRequire(import.meta.url)('./dist/index.js');
const failures = [];

for (const [path, text] of Object.entries(await documents())) {
  if (read(path) !== text) failures.push(`${path} is not what the contracts give; run: npm run docs:api`);
}

const redocly = spawnSync(
  process.execPath,
  [
    join(workspace, 'node_modules/@redocly/cli/bin/cli.js'),
    'lint',
    '--config',
    'tools/docs/redocly.yaml',
    'docs/api/openapi.json',
  ],
  {
    cwd: workspace,
    encoding: 'utf8',
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  },
);
if (redocly.status !== 0) failures.push(`docs/api/openapi.json: ${redocly.stdout}${redocly.stderr}`);

const { document, diagnostics } = await fromFile(
  new Parser(),
  join(workspace, 'docs/api/asyncapi.json'),
).parse();
const errors = diagnostics.filter(({ severity }) => severity === 0);
for (const { message, path } of errors)
  failures.push(`docs/api/asyncapi.json: ${message} at ${path.join('.')}`);
if (!document && errors.length === 0) failures.push('docs/api/asyncapi.json could not be parsed.');

for (const failure of failures) console.log(failure);
process.exit(failures.length > 0 ? 1 : 0);

function read(path) {
  try {
    return readFileSync(join(workspace, path), 'utf8');
  } catch {
    return undefined;
  }
}

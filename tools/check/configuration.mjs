// `npm run check:configuration`: docs/configuration.md says what the apps' schemas say. With `--write` it is made anew.
// Meanings are the schemas' own, given by `.describe()`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { APPS } from './apps.mjs';
import { schemaOf } from './settings.mjs';
import { workspace } from '../local/prepare.mjs';

const TARGET = join(workspace, 'docs/configuration.md');
const shared = new Map();
for (const app of APPS)
  for (const name of Object.keys(schemaOf(app).shape)) shared.set(name, [...(shared.get(name) ?? []), app]);

const text = await format(document(), { ...(await resolveConfig(TARGET)), parser: 'markdown' });
if (process.argv.includes('--write')) writeFileSync(TARGET, text);
else if (readFileSync(TARGET, 'utf8') !== text) {
  console.log('docs/configuration.md is old: node tools/check/configuration.mjs --write');
  process.exit(1);
}

function document() {
  const many = [...shared].filter(([name, apps]) => apps.length > 1 && name !== 'PORT');
  return `# Configuration

<!-- Written by tools/check/configuration.mjs from the apps' schemas. -->

Settings are environment variables. Instead of \`NAME\`, \`NAME_FILE\` may hold the path of a file with the value, for secrets. An app checks them at its start and
names each that is wrong; none is read later, but for the files of keys and certificates, which are watched. Times ending in \`_MS\` are milliseconds.

## Common

| setting | apps | default | meaning |
|---|---|---|---|
${many.map(([name, apps]) => row(name, apps[0], apps.length === APPS.length ? 'all' : apps.join(', '))).join('\n')}

${APPS.map(section).join('\n')}`;
}

function section(app) {
  // With those whose default is another one here than in the common table.
  const own = Object.keys(schemaOf(app).shape).filter(
    (name) =>
      name === 'PORT' ||
      shared.get(name).length === 1 ||
      fallback(name, app) !== fallback(name, shared.get(name)[0]),
  );
  return `## ${app}\n\n| setting | default | meaning |\n|---|---|---|\n${own.map((name) => row(name, app)).join('\n')}\n`;
}

function row(name, app, apps) {
  const cells = [`\`${name}\``, ...(apps ? [apps] : []), fallback(name, app), meaning(name, app)];
  return `| ${cells.join(' | ')} |`;
}

/** Two parses without the setting differ where the default is made anew each time. */
function fallback(name, app) {
  const field = schemaOf(app).shape[name];
  const [first, second] = [field.safeParse(undefined), field.safeParse(undefined)];
  if (!first.success) return 'required';
  if (first.data === undefined) return 'none';
  if (typeof first.data === 'object') return 'empty';
  if (first.data !== second.data) return 'random';
  return `\`${String(first.data).replace(`${workspace}/`, '')}\``;
}

function meaning(name, app) {
  const field = schemaOf(app).shape[name];
  const { description, secret } = field.meta() ?? {};
  if (!description) throw new Error(`${name} of ${app} has no .describe() in config.ts`);
  return `${description}${secret ? ' Secret.' : ''}`.replaceAll('|', '\\|');
}

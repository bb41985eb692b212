import { readFile, rename, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from './config/errors';
import { parseConfig } from './config/load';
import { valuesFromEnvironment } from './render-environment';
import { renderKongConfig, type PublicJwk } from './render-config';

const usage = `usage: node tools/gateway/dist/render.js [--template FILE] [--keys FILE] [--out FILE] [--set NAME=VALUE …]
  --template  default docker/kong/kong.yml
  --keys      JWKS file with the public keys; default: JWT_PUBLIC_KEYS_FILE
  --out       default: standard output
  --set       like an environment variable of that name; docker/kong/README.md lists them`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      template: { type: 'string', default: resolve(__dirname, '../../../docker/kong/kong.yml') },
      keys: { type: 'string' },
      out: { type: 'string' },
      set: { type: 'string', multiple: true, default: [] },
    },
  });
  const given = Object.fromEntries(
    values.set.map((pair) => [pair.split('=', 1)[0]!, pair.slice(pair.indexOf('=') + 1)]),
  );
  const environment = { ...process.env, ...given };
  const keysFile = values.keys ?? environment.JWT_PUBLIC_KEYS_FILE;
  if (!keysFile) throw new Error('--keys or JWT_PUBLIC_KEYS_FILE is missing');
  const { keys } = JSON.parse(await readFile(keysFile, 'utf8')) as { keys?: PublicJwk[] };
  if (!Array.isArray(keys)) throw new Error(`${keysFile} is no JWKS: it has no list "keys"`);

  const text = renderKongConfig(
    await readFile(values.template, 'utf8'),
    valuesFromEnvironment(environment, keys),
  );
  parseConfig(text, 'the rendered file');
  if (!values.out) return void process.stdout.write(text);
  await writeFile(`${values.out}.new`, text, { mode: 0o600 });
  await rename(`${values.out}.new`, values.out);
}

main().catch((error: Error) => {
  console.error(error instanceof ConfigError ? error.message : `${error.message}\n${usage}`);
  process.exit(1);
});

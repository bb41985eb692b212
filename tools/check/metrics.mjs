// What the apps expose to Prometheus, read from their sources.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

const require = createRequire(import.meta.url);
const { collectDefaultMetrics, Registry } = require('prom-client');

/** Names as they are scraped: those made by `counter`, `gauge`, `parkedGauge` and `histogram` in the sources, and Node's own. */
export function exposedMetrics() {
  const names = new Set();
  const calls = /\b(counter|gauge|parkedGauge|histogram)(?:<[^>]*>)?\(\s*'([a-z0-9_]+)'/g;
  for (const file of ['apps', 'libs'].flatMap((folder) => filesIn(folder, /\/src\/.*\.ts$/)))
    for (const [, kind, name] of readFileSync(join(workspace, file), 'utf8').matchAll(calls))
      for (const suffix of kind === 'histogram' ? ['_bucket', '_sum', '_count'] : [''])
        names.add(`${name}${suffix}`);
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const { name, type } of registry.getMetricsAsArray())
    for (const suffix of type === 'histogram' || type === 'summary'
      ? ['_bucket', '_sum', '_count', '']
      : [''])
      names.add(`${name}${suffix}`);
  return names;
}

/** Files of the repository, new ones included. */
export function filesIn(folder, pattern) {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', folder], {
    cwd: workspace,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((file) => pattern.test(file) && existsSync(join(workspace, file)));
}

// `npm run check:commands`: the commands of the documents name scripts, files, services, programs and resources that are there.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { prepare, workspace } from '../local/prepare.mjs';

await prepare();
const { checkCommands } = createRequire(import.meta.url)('../docs/dist/index.js');
const DOCUMENTS = ['README.md', 'docs/*.md', 'docker/README.md', 'k8s/README.md', 'tools/*/README.md'];

const known = {
  scripts: new Set(Object.keys(JSON.parse(read('package.json')).scripts)),
  services: new Set(
    list('docker/compose*.yml').flatMap((file) => Object.keys(parse(read(file), { merge: true }).services)),
  ),
  resources: new Set(list('k8s/*.yaml').flatMap(resourcesOf)),
  exists: (path) => existsSync(join(workspace, path)),
};
const findings = list(...DOCUMENTS).flatMap((file) =>
  checkCommands(read(file), known).map((finding) => `${file}: ${finding}`),
);
for (const finding of findings) console.log(finding);
process.exit(findings.length > 0 ? 1 : 0);

/** `Kind/name` of what a manifest holds, and of what a kustomization or an operator makes of it. */
function resourcesOf(file) {
  return parseAllDocuments(read(file))
    .map((document) => document.toJS())
    .filter((one) => one && !Array.isArray(one))
    .flatMap(({ kind, metadata, spec, configMapGenerator = [], secretGenerator = [] }) => [
      `${kind}/${metadata?.name}`,
      ...configMapGenerator.map(({ name }) => `ConfigMap/${name}`),
      ...secretGenerator.map(({ name }) => `Secret/${name}`),
      ...(kind === 'ExternalSecret' ? [`Secret/${metadata.name}`] : []),
      ...(kind === 'Certificate' ? [`Secret/${spec.secretName}`] : []),
    ]);
}

/** Tracked and new files; `*` stands for folders, too. */
function list(...patterns) {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...patterns];
  return execFileSync('git', args, { cwd: workspace, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(workspace, file)));
}

function read(file) {
  return readFileSync(join(workspace, file), 'utf8');
}

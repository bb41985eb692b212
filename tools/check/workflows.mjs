// `npm run check:workflows`: the workflows of CI parse, name programs, scripts and tests that exist, use the Node of the
// images and the servers of Compose, give no job more rights than it names, and end by themselves. And whatever others make
// that is named here with its version is kept up to date.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse } from 'yaml';
import { readDockerfile } from './dockerfile.mjs';
import { filesIn } from './metrics.mjs';
import { workspace } from '../local/prepare.mjs';

const FOLDER = '.github/workflows';
const { scripts, engines } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'));
const nodes = [/NODE_VERSION=(\S+)/.exec(readDockerfile())[1], engines.node.replace(/[^\d.]/g, '')];
const servers = readFileSync(join(workspace, 'docker/compose.backing.yml'), 'utf8');
const findings = [...readdirSync(join(workspace, FOLDER)).flatMap(check), ...forgotten()];
for (const finding of findings) console.log(finding);
process.exit(findings.length > 0 ? 1 : 0);

function check(name) {
  const { permissions, jobs } = parse(readFileSync(join(workspace, FOLDER, name), 'utf8'), {
    uniqueKeys: true,
  });
  const found = permissions ? [] : ['its rights are not limited'];
  for (const [id, job] of Object.entries(jobs)) {
    if (job.uses) {
      if (!existsSync(join(workspace, job.uses))) found.push(`${id}: ${job.uses} is not there`);
      continue;
    }
    if (!job['timeout-minutes']) found.push(`${id}: no timeout`);
    for (const need of [job.needs ?? []].flat())
      if (!jobs[need]) found.push(`${id}: needs ${need}, which is not there`);
    for (const step of job.steps) found.push(...checkStep(step, job).map((text) => `${id}: ${text}`));
  }
  return found.map((text) => `${FOLDER}/${name}: ${text}`);
}

function checkStep({ uses, run = '', with: options = {} }, job) {
  const found = [];
  if (uses && !/@v\d+(\.\d+)*$|@[0-9a-f]{40}$/.test(uses)) found.push(`${uses} is not pinned`);
  const version = options['node-version'];
  const used = version?.includes('matrix.node') ? job.strategy.matrix.node : version ? [version] : [];
  for (const one of used)
    if (!nodes.includes(one)) found.push(`Node ${one} is neither the oldest nor that of the images`);
  for (const [, script] of run.matchAll(/npm run (\S+)/g))
    if (!scripts[script]) found.push(`there is no script ${script}`);
  for (const [, file] of run.matchAll(/(?:node|-f) ((?:tools|docker)\/\S+)/g))
    if (!existsSync(join(workspace, file))) found.push(`${file} is not there`);
  for (const [, image] of run.matchAll(/docker run .*?(\S+:\d\S+)(?:\s+--|$)/g))
    if (!servers.includes(`image: ${image}\n`)) found.push(`${image} is not what Compose runs`);
  for (const [, paths] of run.matchAll(/npm test -- (.*)/g))
    for (const path of paths.split(' ').filter((word) => /^(apps|libs|tools)\//.test(word)))
      if (!existsSync(join(workspace, path))) found.push(`${path} is not there`);
  return found;
}

/** Folders with versions of others that no update would ever reach. */
function forgotten() {
  const { updates } = parse(readFileSync(join(workspace, '.github/dependabot.yml'), 'utf8'));
  const known = new Set(
    updates.flatMap(({ 'package-ecosystem': kind, directory, directories = [directory] }) =>
      directories.map((folder) => `${kind} /${folder.slice(1)}`),
    ),
  );
  const needed = filesIn('.', /./).flatMap((file) => {
    const folder = file.includes('/') ? `/${dirname(file)}` : '/';
    if (basename(file) === 'go.mod') return [`gomod ${folder}`];
    if (basename(file) === 'package-lock.json') return [`npm ${folder}`];
    if (basename(file) === 'Dockerfile') return [`docker ${folder}`];
    const images = /^(docker|k8s)\/.*\.ya?ml$/.test(file) ? imagesIn(file) : [];
    if (images.length === 0) return [];
    return [`${file.startsWith('k8s/') ? 'docker' : 'docker-compose'} ${folder}`];
  });
  return [...new Set(needed)]
    .filter((one) => !known.has(one))
    .map((one) => `.github/dependabot.yml: lacks ${one}`);
}

/** Those of others, with their versions. */
function imagesIn(file) {
  const text = readFileSync(join(workspace, file), 'utf8');
  return [...text.matchAll(/image(?:Name)?: ([\w./-]+:v?\d[\w.-]*)/g)].filter(
    ([, image]) => !image.startsWith('parley/'),
  );
}

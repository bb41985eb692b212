// `npm run check:workflows`: the workflows of CI parse, name programs, scripts and tests that exist, use the Node of the
// images and the servers of Compose, give no job more rights than it names, and end by themselves.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { readDockerfile } from './dockerfile.mjs';
import { workspace } from '../local/prepare.mjs';

const FOLDER = '.github/workflows';
const { scripts, engines } = JSON.parse(readFileSync(join(workspace, 'package.json'), 'utf8'));
const nodes = [/NODE_VERSION=(\S+)/.exec(readDockerfile())[1], engines.node.replace(/[^\d.]/g, '')];
const servers = readFileSync(join(workspace, 'docker/compose.backing.yml'), 'utf8');
const findings = readdirSync(join(workspace, FOLDER)).flatMap(check);
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

// `npm run check:docker`: the Dockerfile holds together: syntax, pinned bases, copied paths, no root. What its commands
// come to is tried by `npm run check:image`.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { APPS } from './apps.mjs';
import { DOCKERFILE, expand, readDockerfile, stagesOf } from './dockerfile.mjs';
import { workspace } from '../local/prepare.mjs';

const text = readDockerfile();
const stages = stagesOf(text);
const defaults = argDefaults(stages[0]);
const findings = [...syntax(), ...bases(), ...copies(), ...unprivileged(), ...contextOf(APPS)];
for (const finding of findings) console.log(`${DOCKERFILE}${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

function syntax() {
  return validate(text).map(({ range, message }) => `:${range.start.line + 1}: ${message}`);
}

/** Every outside image is pinned to a full version. */
function bases() {
  const names = new Set(stages.map(({ name }) => name));
  return stages
    .filter(({ base }) => base && !names.has(base))
    .map(({ base }) => expand(base, defaults))
    .filter((image) => !/:\d+\.\d+\.\d+/.test(image))
    .map((image) => `: ${image} is not pinned to a full version`);
}

/** What COPY takes from the context is there, for every app; what it takes from a stage names an earlier one. */
function copies() {
  return stages.flatMap((stage, index) =>
    stage.steps
      .filter(({ keyword }) => keyword === 'COPY')
      .flatMap(({ line, flags, args }) => {
        if (flags.from)
          return stages.slice(0, index).some(({ name }) => name === flags.from)
            ? []
            : [`:${line}: there is no earlier stage ${flags.from}`];
        const sources = args.split(/\s+/).slice(0, -1);
        return APPS.flatMap((app) => sources.map((source) => expand(source, { ...defaults, APP: app })))
          .filter((source, at, all) => all.indexOf(source) === at)
          .filter((source) => !existsSync(join(workspace, source)))
          .map((source) => `:${line}: ${source} is not there`);
      }),
  );
}

/** What runs is not root, and says so by number. */
function unprivileged() {
  const finals = stages.filter(({ steps }) => steps.some(({ keyword }) => keyword === 'CMD'));
  return finals.flatMap((stage) => {
    const user = lineage(stage)
      .flatMap(({ steps }) => steps)
      .filter(({ keyword }) => keyword === 'USER')
      .at(-1)?.args;
    return /^[1-9]\d*:[1-9]\d*$/.test(user ?? '')
      ? []
      : [`: ${stage.name} runs as ${user ?? 'root'}, not as a numbered user`];
  });
}

/** A stage and those it is built on, the oldest first. */
function lineage(stage) {
  const parent = stages.find(({ name }) => name !== '' && name === stage.base);
  return parent ? [...lineage(parent), stage] : [stage];
}

/** .dockerignore lets through what is copied from the context, and no dependencies or builds of this machine. */
function contextOf(apps) {
  const rules = readFileSync(join(workspace, '.dockerignore'), 'utf8').split('\n');
  const allowed = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1));
  const sources = stages
    .flatMap(({ steps }) => steps)
    .filter(({ keyword, flags }) => keyword === 'COPY' && !flags.from)
    .flatMap(({ args }) => args.split(/\s+/).slice(0, -1))
    .map((source) => expand(source, { ...defaults, APP: apps[0] }));
  const hidden = sources.filter(
    (source) => !allowed.some((path) => source === path || source.startsWith(`${path}/`)),
  );
  return [
    ...hidden.map((source) => `: .dockerignore hides ${source}`),
    ...['**/node_modules', '**/dist']
      .filter((rule) => !rules.includes(rule))
      .map((rule) => `: .dockerignore lacks ${rule}`),
  ];
}

function argDefaults({ steps }) {
  return Object.fromEntries(
    steps.filter(({ keyword }) => keyword === 'ARG').map(({ args }) => args.split('=', 2)),
  );
}

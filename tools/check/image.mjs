// `npm run check:image [-- --app NAME,…]`: what `docker build` would do, without an engine: carries out the Dockerfile's
// own COPY and RUN lines in an empty folder and starts what comes out, under the Node version of the image. All apps where
// none is named; what does not depend on the app is carried out once.
// Takes minutes and the package registry, so `npm run check` tries one app, and CI all.
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { workspace } from '../local/prepare.mjs';
import { APPS } from './apps.mjs';
import { expand, readDockerfile, stagesOf } from './dockerfile.mjs';

const START_TIMEOUT_MS = 60_000;
const { values } = parseArgs({ options: { app: { type: 'string', default: APPS.join(',') } } });
const stages = stagesOf(readDockerfile());
const args = { APP: '' };
for (const { keyword, args: text } of stages[0].steps)
  if (keyword === 'ARG') args[text.split('=')[0]] = text.split('=')[1];
const root = mkdtempSync(join(tmpdir(), 'parley-image-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));

const built = new Map();
const made = run(['docker/secrets.mjs', '--keys-only', root], workspace, { PATH: process.env.PATH });
if (made.status !== 0) fail(made.output);
tryRenderer(build('render'));
const sizes = [];
for (const app of values.app.split(',')) {
  args.APP = app;
  const image = build('app');
  await tryApp(image);
  sizes.push(
    `  ${app.padEnd(13)}${megabytes(join(image.root, 'parley')).padStart(4)} MB above Node, of which ${megabytes(join(image.root, 'parley/node_modules'))} MB packages`,
  );
}
console.log(
  `\n  The renderer and these images build and start with what the lock says:\n${sizes.join('\n')}`,
);

/** Carries out a stage and those that it needs; returns its file system and its last working directory. */
function build(name) {
  const stage = stages.find((one) => one.name === name);
  const key = dependsOnApp(stage) ? `${name}-${args.APP}` : name;
  if (built.has(key)) return built.get(key);
  const parent = stages.find((one) => one.name !== '' && one.name === stage.base);
  const result = { root: join(root, key), cwd: '/', env: {}, command: undefined };
  if (parent) {
    const base = build(parent.name);
    Object.assign(result, { cwd: base.cwd, env: { ...base.env } });
    // Links are enough: nothing that a later stage does writes into a file of an earlier one.
    spawnSync('cp', ['-al', base.root, result.root]);
  }
  mkdirSync(result.root, { recursive: true });
  for (const step of stage.steps) carryOut(step, result);
  built.set(key, result);
  return result;
}

function dependsOnApp({ base, steps }) {
  return (
    steps.some(({ keyword, args: text }) => keyword === 'ARG' && text.split('=')[0] === 'APP') ||
    stages.some(
      (one) =>
        one.name !== '' &&
        (one.name === base || steps.some(({ flags }) => flags.from === one.name)) &&
        dependsOnApp(one),
    )
  );
}

function megabytes(folder) {
  const { stdout } = spawnSync('du', ['--summarize', '--apparent-size', '--block-size=1M', folder], {
    encoding: 'utf8',
  });
  return stdout.split('\t')[0];
}

function carryOut({ keyword, flags, args: text }, result) {
  const inside = (path) => join(result.root, path.startsWith('/') ? path : join(result.cwd, path));
  if (keyword === 'WORKDIR') {
    result.cwd = join('/', result.cwd, expand(text, args));
    if (expand(text, args).startsWith('/')) result.cwd = expand(text, args);
    mkdirSync(inside('.'), { recursive: true });
  } else if (keyword === 'COPY') {
    const words = text.split(/\s+/).map((word) => expand(word, args));
    const target = words.pop();
    for (const word of words) {
      const source = flags.from ? join(build(flags.from).root, word) : join(workspace, word);
      copy(source, inside(target), target.endsWith('/') && !word.endsWith('/'), !flags.from);
    }
  } else if (keyword === 'ENV') {
    for (const [, name, value] of text.matchAll(/(\w+)=("[^"]*"|\S+)/g)) result.env[name] = value;
  } else if (keyword === 'RUN') {
    // An absolute path is one of the image's own, which this machine must not touch.
    if (/(^|\s)\/(usr|opt|kong)\b/.test(text)) return;
    console.log(`  ${basename(result.root)}: ${text.replace(/\s+/g, ' ').slice(0, 100)}`);
    // As in a container: only what the image has, nothing of the caller's workspace.
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, APP: args.APP, ...result.env };
    const { status } = spawnSync('/bin/sh', ['-c', text], { cwd: inside('.'), env, stdio: 'inherit' });
    if (status !== 0) fail(`This command of the Dockerfile failed: ${text}`);
  } else if (keyword === 'CMD') result.command = JSON.parse(text);
}

/** As COPY does: the content of a folder; a file, or a file into a folder. From the context without what it ignores. */
function copy(source, target, intoFolder, fromContext) {
  if (!existsSync(source)) fail(`${source} is not there.`);
  const isFile = statSync(source).isFile();
  const ignored = (path) =>
    /\/(node_modules|dist|coverage)(\/|$)|\.spec\.ts$/.test(path.slice(workspace.length));
  cpSync(source, isFile && intoFolder ? join(target, basename(source)) : target, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !fromContext || !ignored(path),
  });
}

/** Without settings it must name what it lacks; with settings whose servers are away it must live on and say so. */
async function tryApp(image) {
  const cwd = join(image.root, image.cwd);
  const env = { PATH: process.env.PATH, ...image.env, HOST: '127.0.0.1', PORT: '0' };
  const bare = run(image.command.slice(1), cwd, env);
  if (bare.status === 0 || !/JWT_PUBLIC_KEYS_FILE: is required/.test(bare.output))
    fail(`Without settings ${args.APP} should name those it lacks, but said:\n${bare.output}`);
  const keys = join(root, 'public.jwks.json');
  await start(image, cwd, {
    ...env,
    JWT_PUBLIC_KEYS_FILE: keys,
    JWT_PRIVATE_KEYS_FILE: join(root, 'private.jwks.json'),
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    AMQP_URL: 'amqp://127.0.0.1:1',
  });
  const drivers = ['presence', 'realtime'].includes(args.APP) ? ['pg', 'typeorm', 'mongoose'] : [];
  for (const tool of ['typescript', '@swc/core', 'nx', 'jest', 'eslint', ...drivers])
    if (existsSync(join(image.root, 'parley/node_modules', tool))) fail(`The image contains ${tool}.`);
}

/** Its first sign of life is a line that its broker or its database is away; then SIGTERM must end it. */
function start(image, cwd, env) {
  return new Promise((resolve) => {
    const child = spawn(...nodeOfImage(image.command.slice(1)), {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let told = false;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(`${args.APP} gave no sign of life:\n${output}`);
    }, START_TIMEOUT_MS);
    const hear = (chunk) => {
      output += chunk;
      if (told || !/ECONNREFUSED/.test(output)) return;
      told = true;
      child.kill('SIGTERM');
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (!told || /Cannot find module|ERR_MODULE_NOT_FOUND/.test(output))
        fail(`${args.APP} ended:\n${output}`);
      console.log(`  ${args.APP} started, missed its servers, and ended (${signal ?? code}) on SIGTERM.`);
      resolve();
    });
  });
}

function tryRenderer(image) {
  const { status, output } = run(image.command.slice(1), join(image.root, image.cwd), {
    PATH: process.env.PATH,
    JWT_PUBLIC_KEYS_FILE: join(root, 'public.jwks.json'),
  });
  if (status !== 0 || !output.includes('_format_version')) fail(`The renderer failed:\n${output}`);
}

function run(program, cwd, env) {
  const { status, stdout, stderr } = spawnSync(...nodeOfImage(program), { cwd, env, encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

/** The image's own Node: this one where it is the same, else from the package registry, fetched once. */
function nodeOfImage(program) {
  if (process.versions.node === args.NODE_VERSION) return [process.execPath, program];
  const folder = join(workspace, '.local/node', args.NODE_VERSION);
  const node = join(folder, 'node_modules/node/bin/node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    const npm = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'];
    const { status } = spawnSync('npm', [...npm, `node@${args.NODE_VERSION}`], {
      cwd: folder,
      stdio: 'inherit',
    });
    if (status !== 0) fail(`Node ${args.NODE_VERSION} cannot be had.`);
  }
  return [node, program];
}

function fail(text) {
  console.error(`\n  ${text}`);
  process.exit(1);
}

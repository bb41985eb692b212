// Writes the package.json and package-lock.json of what one program needs at run time: the packages that its built code
// and the libraries' reach, and all that those need, with the versions and checksums of the workspace's own lock.
//   node docker/prune.mjs apps/auth OUT              from all programs of an app
//   node docker/prune.mjs tools/gateway OUT render   from one program alone
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const workspace = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
/** Loaded by the libraries for an app with this setting, and by name by others: TypeORM loads pg. */
const DRIVERS = {
  pg: 'DATABASE_URL',
  typeorm: 'DATABASE_URL',
  '@nestjs/typeorm': 'DATABASE_URL',
  mongoose: 'MONGODB_URL',
};

const [folder, out, only] = process.argv.slice(2);
if (!folder || !out) {
  console.error('usage: node docker/prune.mjs FOLDER OUT [PROGRAM]');
  process.exit(1);
}
const root = readJson('package.json');
const lock = readJson('package-lock.json');
const direct = directPackages();
const kept = closure(direct);
const project = readJson(join(folder, 'package.json'));
const manifest = {
  name: project.name,
  version: project.version,
  license: root.license,
  dependencies: Object.fromEntries(direct.map((name) => [name, root.dependencies[name]])),
};
const packages = Object.fromEntries(Object.entries(lock.packages).filter(([path]) => kept.has(path)));
mkdirSync(out, { recursive: true });
write('package.json', { ...manifest, private: true });
write('package-lock.json', {
  ...lock,
  name: manifest.name,
  version: manifest.version,
  packages: { '': manifest, ...packages },
});
console.log(`${manifest.name}: ${direct.length} packages, ${kept.size} with what they need.`);

/** The packages that are loaded, by name, in order. */
function directPackages() {
  const dist = join(workspace, folder, 'dist');
  const programs = readdirSync(dist).filter((file) => (only ? file === `${only}.js` : file.endsWith('.js')));
  const settings = settingsOf(dist);
  const seen = new Set();
  const names = new Set();
  const follow = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
      /\b(?:require|import)\(\s*"([^"]+)"\s*\)/g,
    )) {
      if (isBuiltin(specifier)) continue;
      if (specifier.startsWith('.')) follow(fileOf(resolve(dirname(file), specifier)));
      else if (specifier.startsWith('@parley/')) follow(libraryOf(specifier));
      else names.add(packageOf(specifier));
    }
  };
  for (const program of programs) follow(join(dist, program));
  for (const [driver, setting] of Object.entries(DRIVERS))
    if (settings.has(setting)) names.add(driver);
    else names.delete(driver);
  const unknown = [...names].filter((name) => !root.dependencies[name]);
  if (unknown.length > 0)
    throw new Error(`${folder} loads what package.json does not depend on: ${unknown.join(', ')}`);
  return [...names].sort();
}

/** What the app can be told: the names in its configuration schema. */
function settingsOf(dist) {
  const config = join(dist, 'config.js');
  if (!existsSync(config)) return new Set();
  const { schema, configSchema } = require(config);
  return new Set(Object.keys((schema ?? configSchema).shape));
}

function libraryOf(specifier) {
  const [scope, name, ...path] = specifier.split('/');
  const library = realpathSync(join(workspace, 'node_modules', scope, name));
  const { exports: entries } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  return join(library, entries[['.', ...path].join('/')].default);
}

function packageOf(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function fileOf(path) {
  const candidates = [path, `${path}.js`, join(path, 'index.js')];
  return candidates.find((one) => existsSync(one) && statSync(one).isFile());
}

/** Paths in the lock of these packages and of all that they need, as npm finds them: nearest folder first. */
function closure(names) {
  const found = new Set();
  const add = (from, name, isOptional) => {
    const path = locate(from, name);
    if (!path) {
      if (isOptional) return;
      throw new Error(`${from || folder} needs ${name}, which the lock lacks.`);
    }
    if (found.has(path)) return;
    found.add(path);
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = lock.packages[path];
    for (const needed of Object.keys(dependencies)) add(path, needed, needed in optionalDependencies);
    for (const needed of Object.keys(optionalDependencies)) add(path, needed, true);
    for (const needed of Object.keys(peerDependencies))
      if (!peerDependenciesMeta[needed]?.optional) add(path, needed, false);
  };
  for (const name of names) add('', name, false);
  return found;
}

function locate(from, name) {
  const parts = from === '' ? [] : from.split(/(?:^|\/)node_modules\//).filter(Boolean);
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const path = [...parts.slice(0, depth), name].map((part) => `node_modules/${part}`).join('/');
    if (lock.packages[path]) return path;
  }
  return undefined;
}

function readJson(path) {
  return JSON.parse(readFileSync(join(workspace, path), 'utf8'));
}

function write(name, content) {
  writeFileSync(join(out, name), `${JSON.stringify(content, null, 2)}\n`);
}

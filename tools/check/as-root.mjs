import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { workspace } from '../local/prepare.mjs';

const FILE = 'mongodb/as-root.sh';
/** With everything that a shell or YAML could take for something else. */
const PASSWORD = `it's $(root) "and" \\ back: #1`;
const ARCHIVE = 'what a dump holds';
/** In place of MongoDB's programs: says how it was called, and what it was given besides. */
const STAND_IN = `#!/usr/bin/env node
const { readFileSync } = require('node:fs');
const args = process.argv.slice(2);
const config = args.find((arg) => arg.startsWith('--config='))?.slice('--config='.length);
const read = { args, config: config && readFileSync(config, 'utf8'), input: readFileSync(0, 'utf8') };
process.stdout.write(JSON.stringify(read));
`;

/** docker/mongodb/as-root.sh gives root's password to MongoDB's programs, and to nobody who lists processes. */
export function checkAsRoot() {
  const root = mkdtempSync(join(tmpdir(), 'parley-as-root-'));
  try {
    return [...plain(root), ...encrypted(root), ...refused(root)].map((text) => `${FILE}: ${text}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function plain(root) {
  writeFileSync(join(root, 'mongodb_root_password'), `${PASSWORD}\n`);
  const found = [];
  for (const program of ['mongodump', 'mongorestore']) {
    const { args, config, input } = call(root, [program, '--gzip', '--archive']);
    if (args.join(' ').includes(PASSWORD)) found.push(`${program}: the password is an argument`);
    if (config === undefined || parse(config).password !== PASSWORD)
      found.push(`${program}: does not get the password`);
    if (input !== ARCHIVE) found.push(`${program}: does not get the archive`);
    if (!args.includes('--host=parley/localhost')) found.push(`${program}: does not go to the replica set`);
    if (args.slice(-2).join(' ') !== '--gzip --archive') found.push(`${program}: loses its options`);
    if (args.some((arg) => arg.startsWith('--ssl'))) found.push(`${program}: encrypts without need`);
  }
  const script = call(root, ['mongosh', '--quiet', 'parley', '--eval', '1 + 1']).args;
  if (script.join(' ').includes(PASSWORD)) found.push('mongosh: the password is an argument');
  if (!script.includes('--host=localhost')) found.push('mongosh: does not go to this member');
  if (script.slice(-4).join(' ') !== '--quiet parley --eval 1 + 1') found.push('mongosh: loses its options');
  if (login(script) !== PASSWORD) found.push('mongosh: does not log in with the password');
  const shells = [['--eval', '1'], ['--eval=1'], ['a.js'], ['-f', 'a'], ['--file=a'], []].map(
    (options) => call(root, ['mongosh', ...options]).args,
  );
  if (shells.map((args) => args.includes('--shell')).join() !== 'false,false,false,false,false,true')
    found.push('mongosh: should stay exactly when it is given nothing to run');
  return found;
}

/** The password that its first script logs in with. */
function login(args) {
  const [script] = args.filter((arg) => arg.startsWith('--eval=')).map((arg) => arg.slice('--eval='.length));
  let used;
  const auth = (user, password) => (used = user === 'root' ? password : undefined);
  const db = { getSiblingDB: (name) => (name === 'admin' ? { auth } : {}) };
  new Function('db', 'require', script)(db, () => ({ readFileSync }));
  return used;
}

function encrypted(root) {
  writeFileSync(join(root, 'server.pem'), '');
  const found = [];
  for (const [program, ca, pair] of [
    ['mongosh', '--tlsCAFile', '--tlsCertificateKeyFile'],
    ['mongodump', '--sslCAFile', '--sslPEMKeyFile'],
    ['mongorestore', '--sslCAFile', '--sslPEMKeyFile'],
  ]) {
    const { args } = call(root, [program]);
    const wanted = [
      ca.replace('CAFile', ''),
      `${ca}=${join(root, 'ca')}`,
      `${pair}=${join(root, 'server.pem')}`,
    ];
    if (!wanted.every((arg) => args.includes(arg))) found.push(`${program}: does not encrypt`);
  }
  return found;
}

/** Nothing is run without a password, and nothing but the three. */
function refused(root) {
  const found = run(root, ['mongod']).status === 2 ? [] : ['runs something else'];
  rmSync(join(root, 'mongodb_root_password'));
  for (const program of ['mongosh', 'mongodump', 'mongorestore'])
    if (run(root, [program]).status === 0) found.push(`${program}: is run without a password`);
  return found;
}

function call(root, args) {
  const { status, stdout, stderr } = run(root, args);
  if (status !== 0) throw new Error(`docker/${FILE} ${args.join(' ')} failed: ${stderr}`);
  return JSON.parse(stdout);
}

/** In a container all these files stand elsewhere; nothing else of the script is changed. */
function run(root, args) {
  for (const program of ['mongosh', 'mongodump', 'mongorestore', 'mongod'])
    writeFileSync(join(root, program), STAND_IN, { mode: 0o755 });
  const script = readFileSync(join(workspace, 'docker', FILE), 'utf8')
    .replaceAll('/run/secrets', root)
    .replaceAll('/tmp/server.pem', join(root, 'server.pem'));
  const env = { ...process.env, PATH: `${root}:${process.env.PATH}` };
  return spawnSync('sh', ['-c', script, 'as-root.sh', ...args], { env, input: ARCHIVE, encoding: 'utf8' });
}

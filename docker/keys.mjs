// Rotates the signing keys in three steps; docs/operations.md says what to wait for between them.
//   node docker/keys.mjs add [FOLDER]      makes the next key: accepted from now on, signing nothing yet
//   node docker/keys.mjs switch [FOLDER]   the next key signs
//   node docker/keys.mjs drop [FOLDER]     only the key that signs is accepted
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const steps = { add, switch: switchOver, drop };
const [step, folder = fileURLToPath(new URL('./secrets', import.meta.url))] = process.argv.slice(2);
if (!steps[step]) {
  console.error('usage: node docker/keys.mjs add|switch|drop [FOLDER]');
  process.exit(1);
}
const files = { public: 'public.jwks.json', private: 'private.jwks.json' };
const keys = { public: read(files.public), private: read(files.private) };
steps[step]();
// Accepted before signing, and no longer signing before no longer accepted. Written in place, for a file that is mounted
// by itself would else stay the old one; whoever reads it half written keeps what he had and reads again.
const order = step === 'drop' ? ['private', 'public'] : ['public', 'private'];
for (const half of order)
  writeFileSync(join(resolve(folder), files[half]), `${JSON.stringify({ keys: keys[half] }, null, 2)}\n`);
console.log(`signs: ${keys.private[0].kid}\naccepted: ${keys.public.map(({ kid }) => kid).join(', ')}`);

function add() {
  if (keys.private.length > 1) throw new Error('There is a next key already: switch, then drop.');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' };
  const { d: _private, ...publicJwk } = jwk;
  keys.private.push(jwk);
  keys.public.push(publicJwk);
}

function switchOver() {
  if (keys.private.length !== 2) throw new Error('There is no next key: add one first.');
  keys.private.reverse();
}

function drop() {
  keys.private.splice(1);
  keys.public = keys.public.filter(({ kid }) => kid === keys.private[0].kid);
}

function read(name) {
  return JSON.parse(readFileSync(join(resolve(folder), name), 'utf8')).keys;
}

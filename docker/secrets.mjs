// Makes what a deployment must not share with any other: passwords and signing keys.
//   node docker/secrets.mjs [FOLDER]          default docker/secrets; keeps what is there
//   node docker/secrets.mjs --renew redis     another password for these servers, separated by commas
//   node docker/secrets.mjs --keys-only FOLDER
// Files: <service>.password, <what>.url for the apps, <service>.conf for the servers, mongodb.key, public.jwks.json, private.jwks.json.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { 'keys-only': { type: 'boolean', default: false }, renew: { type: 'string', default: '' } },
  allowPositionals: true,
});
/** Whose passwords are made. */
const SERVERS = ['postgres', 'redis', 'rabbitmq', 'mongodb', 'mongodb.root', 'mongodb.exporter', 'grafana'];
const renewed = values.renew.split(',').filter(Boolean);
const unknown = renewed.filter((name) => !SERVERS.includes(name));
if (unknown.length > 0) {
  console.error(`There is no password of ${unknown.join(', ')}; known: ${SERVERS.join(', ')}.`);
  process.exit(1);
}
const folder = resolve(positionals[0] ?? fileURLToPath(new URL('./secrets', import.meta.url)));
mkdirSync(folder, { recursive: true, mode: 0o700 });

makeKeys();
if (!values['keys-only']) makePasswords();
console.log(`The secrets are in ${folder}.`);

/** One ES256 key pair, both halves as JWKS. The first private key signs. */
function makeKeys() {
  if (existsSync(join(folder, 'private.jwks.json'))) return;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'ES256', use: 'sig' };
  const { d: _private, ...publicJwk } = jwk;
  write('public.jwks.json', `${JSON.stringify({ keys: [publicJwk] }, null, 2)}\n`);
  write('private.jwks.json', `${JSON.stringify({ keys: [jwk] }, null, 2)}\n`);
}

/** Hexadecimal, so that an address can hold them as they are. */
function makePasswords() {
  const password = Object.fromEntries(SERVERS.map((service) => [service, keep(service)]));
  write('database.url', `postgres://parley:${password.postgres}@postgres:5432/parley`);
  write('redis.url', `redis://:${password.redis}@redis:6379`);
  write('amqp.url', `amqp://parley:${password.rabbitmq}@rabbitmq:5672`);
  write(
    'mongodb.url',
    `mongodb://parley:${password.mongodb}@mongodb:27017/parley?replicaSet=parley&authSource=parley`,
  );
  // By it the members of the replica set know each other.
  keepRandom('mongodb.key', () => randomBytes(513).toString('base64'));
  // With compose.tls.yml.
  write(
    'database.tls.url',
    `postgres://parley:${password.postgres}@postgres:5432/parley?sslmode=verify-full`,
  );
  write(
    'mongodb.tls.url',
    `mongodb://parley:${password.mongodb}@mongodb:27017/parley?replicaSet=parley&authSource=parley&tls=true`,
  );
  write('redis.tls.url', `rediss://:${password.redis}@redis:6379`);
  write('amqp.tls.url', `amqps://parley:${password.rabbitmq}@rabbitmq:5671`);
  write('redis.conf', `requirepass ${password.redis}\n`);
  // By address: with and without compose.tls.yml.
  const addresses = ['redis://redis:6379', 'rediss://redis:6379'];
  write(
    'redis.exporter.json',
    JSON.stringify(Object.fromEntries(addresses.map((address) => [address, password.redis]))),
  );
  write('rabbitmq.conf', `default_user = parley\ndefault_pass = ${password.rabbitmq}\n`);
}

function keep(service) {
  const name = `${service}.password`;
  const make = () => randomBytes(24).toString('hex');
  if (renewed.includes(service)) write(name, make());
  return keepRandom(name, make);
}

function keepRandom(name, make) {
  const file = join(folder, name);
  if (!existsSync(file)) write(name, make());
  return readFileSync(file, 'utf8').trim();
}

/**
 * Readable by the containers' own users, who are not ours; the folder lets in nobody else. Written in place, for a file
 * that is mounted by itself would else stay the old one.
 */
function write(name, content) {
  const file = join(folder, name);
  writeFileSync(file, content);
  chmodSync(file, 0o644);
}

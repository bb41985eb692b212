// Makes a private authority, and the certificates of everything that speaks TLS. Needs openssl.
//   node docker/certificates.mjs [FOLDER]            default docker/certificates; makes what is missing
//   node docker/certificates.mjs renew [FOLDER]      new certificates and keys, of the newest authority
//   node docker/certificates.mjs next [FOLDER]       the next authority; ca.pem trusts both, so that `renew` may follow
//   node docker/certificates.mjs drop [FOLDER]       ca.pem trusts the newest authority alone
// --names gateway,redis     only these
// --hosts chat.example.com  host names and addresses in place of a server's own name, localhost and 127.0.0.1
// --days 365                how long the certificates hold
// Files: ca.pem (whom to trust), authority.pem and .key (keep the key safe), <name>.pem and .key; `client` is what apps show.
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const NAMES = ['postgres', 'redis', 'rabbitmq', 'mongodb', 'gateway', 'client'];
/** Of servers that are several under one certificate: with compose.scaled.yml. They show it to each other as clients, too. */
const MEMBERS = { mongodb: ['mongodb', 'mongodb-2', 'mongodb-3'] };
const COMMANDS = ['make', 'renew', 'next', 'drop'];
const AUTHORITY_DAYS = 3650;

const { values, positionals } = parseArgs({
  options: {
    names: { type: 'string', default: NAMES.join(',') },
    hosts: { type: 'string' },
    days: { type: 'string', default: '365' },
  },
  allowPositionals: true,
});
const command = COMMANDS.includes(positionals[0]) ? positionals.shift() : 'make';
const folder = resolve(positionals[0] ?? fileURLToPath(new URL('./certificates', import.meta.url)));
const names = values.names.split(',');
const days = Number(values.days);
const unknown = names.filter((name) => !NAMES.includes(name));
if (unknown.length > 0) stop(`There is nothing called ${unknown.join(', ')}; known: ${NAMES.join(', ')}.`);
if (!Number.isFinite(days)) stop(`--days ${values.days} is no number.`);

mkdirSync(folder, { recursive: true, mode: 0o700 });
const work = mkdtempSync(join(tmpdir(), 'parley-certificates-'));
try {
  run();
  console.log(`The certificates are in ${folder}.`);
} catch (error) {
  fail(error.message);
} finally {
  rmSync(work, { recursive: true });
}

function run() {
  const isNew = !existsSync(at('authority.pem'));
  if (isNew || command === 'next') {
    const former = isNew ? '' : readFileSync(at('ca.pem'), 'utf8');
    makeAuthority();
    write('ca.pem', readFileSync(at('authority.pem'), 'utf8') + former);
  }
  if (command === 'drop') write('ca.pem', readFileSync(at('authority.pem'), 'utf8'));
  for (const name of names)
    if (command === 'renew' || (command === 'make' && !existsSync(at(`${name}.pem`)))) issue(name);
}

function makeAuthority() {
  const config = configuration(`parley authority ${randomBytes(4).toString('hex')}`, []);
  const key = newKey('authority.key');
  const args = ['req', '-new', '-x509', '-config', config, '-extensions', 'authority'];
  write('authority.pem', openssl(...args, '-key', key, '-days', String(AUTHORITY_DAYS)));
}

function issue(name) {
  const isClient = name === 'client';
  const hosts = values.hosts?.split(',') ?? [...(MEMBERS[name] ?? [name]), 'localhost', '127.0.0.1', '::1'];
  const config = configuration(isClient ? 'parley' : hosts[0], isClient ? ['parley'] : hosts);
  // Both halves appear under their names only when the certificate is made.
  const { pem, path } = makeKey();
  const request = join(work, 'request.pem');
  writeFileSync(request, openssl('req', '-new', '-config', config, '-key', path));
  const now = Date.now();
  // A day back, for clocks that are behind.
  const [start, end] = [now - 86_400_000, now + days * 86_400_000].map(opensslTime);
  const certificate = openssl(
    ...['ca', '-batch', '-notext', '-config', config, '-in', request],
    ...['-cert', at('authority.pem'), '-keyfile', at('authority.key')],
    ...['-extensions', isClient ? 'client' : MEMBERS[name] ? 'member' : 'server'],
    ...['-startdate', days < 0 ? opensslTime(now + (days - 1) * 86_400_000) : start, '-enddate', end],
  );
  write(`${name}.pem`, certificate);
  write(`${name}.key`, pem);
}

function configuration(commonName, hosts) {
  const alternatives = hosts.map((host) => `${isIP(host) ? 'IP' : 'DNS'}:${host}`).join(',');
  const leaf = [
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    ...(alternatives ? [`subjectAltName = ${alternatives}`] : []),
    'authorityKeyIdentifier = keyid',
    'subjectKeyIdentifier = hash',
  ];
  const lines = [
    '[req]\nprompt = no\ndistinguished_name = subject\nstring_mask = utf8only',
    `[subject]\nCN = ${commonName}`,
    '[authority]\nbasicConstraints = critical, CA:TRUE, pathlen:0\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash',
    `[server]\n${leaf.join('\n')}\nextendedKeyUsage = serverAuth`,
    `[member]\n${leaf.join('\n')}\nextendedKeyUsage = serverAuth, clientAuth`,
    `[client]\n${leaf.join('\n')}\nextendedKeyUsage = clientAuth`,
    '[ca]\ndefault_ca = issuing',
    `[issuing]\ndatabase = ${join(work, 'index')}\nserial = ${join(work, 'serial')}\nnew_certs_dir = ${work}\ndefault_md = sha256\npolicy = policy\nunique_subject = no`,
    '[policy]\ncommonName = supplied',
  ];
  writeFileSync(join(work, 'index'), '');
  writeFileSync(join(work, 'serial'), `${randomBytes(16).toString('hex').toUpperCase()}\n`);
  writeFileSync(join(work, 'openssl.conf'), `${lines.join('\n')}\n`);
  return join(work, 'openssl.conf');
}

function makeKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const path = join(work, 'key.pem');
  writeFileSync(path, pem, { mode: 0o600 });
  return { pem, path };
}

function newKey(name) {
  write(name, makeKey().pem);
  if (name === 'authority.key') chmodSync(at(name), 0o600);
  return at(name);
}

function openssl(...args) {
  try {
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error('openssl is not installed.');
    throw new Error(`openssl ${args[0]} failed:\n${error.stderr}`);
  }
}

/** YYYYMMDDHHMMSSZ. */
function opensslTime(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
}

function fail(message) {
  console.error(message);
  process.exitCode = 1;
}

function stop(message) {
  fail(message);
  process.exit();
}

/** Readable by the containers' own users, who are not ours; the folder lets in nobody else. Rewritten in place for mounts. */
function write(name, content) {
  writeFileSync(at(name), content);
  if (name !== 'authority.key') chmodSync(at(name), 0o644);
}

function at(name) {
  return join(folder, name);
}

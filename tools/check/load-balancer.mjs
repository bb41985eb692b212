// `npm run check:load-balancer`: HAProxy accepts docker/haproxy/haproxy.cfg in each of its forms: gateways by address, by
// name, with TLS. Without HAProxy (package haproxy) this is skipped, loudly. It also checks, with or without, that
// nothing of the query, where tickets stand, gets into its logs, and that no gateway is given more than it holds.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { workspace } from '../local/prepare.mjs';

const file = join(workspace, 'docker/haproxy/haproxy.cfg');
const root = mkdtempSync(join(tmpdir(), 'parley-haproxy-'));
let findings;
try {
  findings = [...secretsInLogs(), ...variables(), ...capacity(), ...forms()];
} finally {
  rmSync(root, { recursive: true });
}
for (const finding of findings) console.log(`docker/haproxy/${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

/** Formats that would show the whole request line, the query, or headers with tokens. */
function secretsInLogs() {
  return lines()
    .filter(({ text }) => /^\s*(error-)?log-format/.test(text))
    .filter(({ text }) =>
      /%\{?[+Q]*\}?(r|HU|HQ|hr|hrl|hs|hsl)\b|query|url\b|authorization|capture/i.test(text),
    )
    .map(({ line }) => `haproxy.cfg:${line}: may log a ticket or a token`);
}

/** A socket is two connections of Kong's, one to each side. */
function capacity() {
  const compose = readFileSync(join(workspace, 'docker/compose.yml'), 'utf8');
  const kong = parse(compose, { merge: true }).services.kong.environment;
  const held = (kong.KONG_NGINX_WORKER_PROCESSES * kong.KONG_NGINX_EVENTS_WORKER_CONNECTIONS) / 2;
  const [, variable = ''] = /default-server .*\bmaxconn "\$\{(\w+)\}"/.exec(readFileSync(file, 'utf8')) ?? [];
  const [, given] = new RegExp(`presetenv ${variable} (\\d+)`).exec(readFileSync(file, 'utf8')) ?? [];
  // Its workers do not share, so one of them is full a little before all are.
  return Number(given) <= 0.95 * held
    ? []
    : [`haproxy.cfg: gives a gateway ${given} connections, and Kong holds ${held}`];
}

/** README.md lists each variable that the file reads. */
function variables() {
  const readme = readFileSync(join(workspace, 'docker/haproxy/README.md'), 'utf8');
  const names = new Set(
    lines()
      .flatMap(({ text }) => [...text.matchAll(/\$\{(\w+)\}|defined\((\w+)\)/g)])
      .map((m) => m[1] ?? m[2]),
  );
  return [...names]
    .filter((name) => !/^GATEWAY_[2-9]/.test(name) && !readme.includes(`\`${name}\``))
    .map((name) => `README.md: does not tell of ${name}`);
}

function forms() {
  if (spawnSync(haproxy(), ['-v']).error) {
    console.log('SKIPPED: haproxy is not installed, so its configuration is not parsed.');
    return [];
  }
  const gateways = { GATEWAY_1: '127.0.0.1:1', GATEWAY_1_STATUS: '127.0.0.1:2' };
  const more = Object.fromEntries(
    [2, 3, 4].flatMap((n) => [
      [`GATEWAY_${n}`, `192.0.2.${n}:1`],
      [`GATEWAY_${n}_STATUS`, `192.0.2.${n}:2`],
    ]),
  );
  return [
    ...parsed('one gateway', gateways),
    ...parsed('four gateways', { ...gateways, ...more }),
    ...parsed('gateways by name', { GATEWAY_NAME: 'kong' }),
    ...withTls({ ...gateways, TLS_BIND_ADDRESS: '127.0.0.1:8443' }),
  ];
}

function withTls(env) {
  const made = {
    key: join(root, 'key.pem'),
    certificate: join(root, 'certificate.pem'),
    both: join(root, 'both.pem'),
  };
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  const { error, status } = spawnSync('openssl', [
    ...args,
    '-subj',
    '/CN=localhost',
    '-keyout',
    made.key,
    '-out',
    made.certificate,
  ]);
  if (error || status !== 0) {
    console.log('SKIPPED: openssl is not installed, so the form with TLS is not parsed.');
    return [];
  }
  writeFileSync(made.both, [made.certificate, made.key].map((part) => readFileSync(part, 'utf8')).join(''));
  const withBoth = { ...env, TLS_CERTIFICATES: made.both };
  const isRefused = parsed('', { ...withBoth, HSTS_SECONDS: 'a year' }).length > 0;
  return [
    ...parsed('TLS', withBoth),
    ...parsed('TLS for good', { ...withBoth, HSTS_SECONDS: '31536000' }),
    ...(isRefused ? [] : ['haproxy.cfg: takes any HSTS_SECONDS, and browsers what comes of it']),
  ];
}

function parsed(form, env) {
  const { status, stdout, stderr } = spawnSync(haproxy(), ['-c', '-f', file], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  // A warning is a finding as well: what it speaks of is mostly a rule that does not do what it seems to.
  const complaints = `${stdout}${stderr}`.split('\n').filter((line) => /\[(WARNING|ALERT)\]/.test(line));
  return status === 0 && complaints.length === 0 ? [] : [`haproxy.cfg (${form}):\n${complaints.join('\n')}`];
}

/** Debian keeps it where only root's PATH leads. */
function haproxy() {
  try {
    return execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin:/usr/local/sbin command -v haproxy'], {
      encoding: 'utf8',
    }).trim();
  } catch {
    return 'haproxy';
  }
}

function lines() {
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((text, index) => ({ line: index + 1, text }));
}

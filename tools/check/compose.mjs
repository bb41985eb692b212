// `npm run check:compose`: the Compose files follow Compose's schema, and what they say fits to the apps: settings, start
// order, time to drain, limits, secrets that docker/secrets.mjs makes; mongodb/as-root.sh keeps its secret. With Go the files
// are also read together, as Docker Compose does; without it this is skipped, loudly.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { APPS, APPS_WITH_TABLES } from './apps.mjs';
import { checkAsRoot } from './as-root.mjs';
import { checkCombinations } from './combinations.mjs';
import { checkEnvironment, milliseconds } from './settings.mjs';
import { workspace } from '../local/prepare.mjs';

/** What docker/certificates.mjs makes and a container may see. */
const CERTIFICATES = [
  'ca.pem',
  ...['postgres', 'redis', 'rabbitmq', 'mongodb', 'gateway', 'client'].flatMap((name) => [
    `${name}.pem`,
    `${name}.key`,
  ]),
];

/** The one whose image has neither a health check nor anything to make one with. */
const SHELLLESS = 'otel-collector';

/** Built here, or a release's: docker/.env says of which registry and version. */
const OURS = /^\$\{REGISTRY:-parley\}\/\w+:\$\{VERSION:-local\}$/;

const folder = join(workspace, 'docker');
const names = readdirSync(folder).filter((name) => /^compose\..*yml$/.test(name));
const documents = Object.fromEntries(
  names.map((name) => [name, parse(read(name), { merge: true, uniqueKeys: true })]),
);
const main = documents['compose.yml'];
const included = main.include.map((name) => documents[name]);
const services = Object.assign({}, ...included.map((one) => one.services), main.services);
const secrets = Object.assign({}, ...included.map((one) => one.secrets), main.secrets);
const combined = checkCombinations();
if (combined.skipped)
  console.log(
    `SKIPPED: the Compose files are not read together as Docker Compose does (${combined.skipped}).`,
  );
const findings = [
  ...combined.findings,
  ...lint(),
  ...APPS.flatMap(app),
  ...APPS_WITH_TABLES.flatMap(migration),
  ...Object.entries(services).flatMap(([name, service]) => anyService(name, service)),
  ...secretFiles(),
  ...scaled(),
  ...encrypted(),
  ...balanced(),
  ...kongs(),
  ...checkAsRoot(),
];
for (const finding of findings) console.log(`docker/${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

function lint() {
  const disabled = [
    // Order is by meaning here.
    'service-keys-order',
    'services-alphabetical-order',
    'service-dependencies-alphabetical-order',
    'top-level-properties-order',
    // The image is what the build is called, so that a registry's can be used instead.
    'no-build-and-image',
    // The address is a variable with loopback as its default.
    'no-unbound-port-interfaces',
  ];
  const args = [...names.map((name) => join(folder, name)), '--max-warnings', '0'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(workspace, 'node_modules/dclint/bin/dclint.cjs'),
      ...args,
      ...disabled.flatMap((rule) => ['--disable-rule', rule]),
    ],
    { encoding: 'utf8' },
  );
  return status === 0 ? [] : [`compose: dclint says\n${stdout}${stderr}`];
}

/** Its settings are right, it has the time to drain, and it starts after what it needs. */
function app(name) {
  const service = services[name];
  if (!service) return [`compose.yml: there is no service ${name}`];
  const { findings: wrong, config } = checkEnvironment(name, defaults(service.environment));
  const found = wrong.map((text) => `compose.yml: ${name}: ${text}`);
  if (!config) return found;
  if (milliseconds(service.stop_grace_period) <= config.DRAIN_TIMEOUT_MS + config.DRAIN_GRACE_MS)
    found.push(`compose.yml: ${name}: stop_grace_period is not longer than draining may take`);
  const needs = {
    rabbitmq: config.AMQP_URL,
    redis: config.REDIS_URL,
    postgres: config.DATABASE_URL,
    mongodb: config.MONGODB_URL,
    [`migrate-${name}`]: APPS_WITH_TABLES.includes(name),
  };
  for (const [server, needed] of Object.entries(needs))
    if (Boolean(needed) !== Boolean(service.depends_on?.[server]))
      found.push(`compose.yml: ${name}: should${needed ? '' : ' not'} depend on ${server}`);
  if (services['kong-config'].environment[`${name.toUpperCase()}_TARGETS`] !== `${name}:3000`)
    found.push(`compose.yml: kong-config: has no address of ${name}`);
  if (!service.read_only || !service.cap_drop?.includes('ALL'))
    found.push(`compose.yml: ${name}: may write or keeps capabilities`);
  return found;
}

function migration(name) {
  const service = services[`migrate-${name}`];
  if (!service) return [`compose.yml: there is no service migrate-${name}`];
  const found = [];
  if (service.image !== services[name].image || service.command.join(' ') !== 'node dist/migrate.js')
    found.push(`compose.yml: migrate-${name}: does not run the migrations of its app's image`);
  // The databases of its app, and where each is.
  for (const server of ['postgres', 'mongodb'])
    if (Boolean(service.depends_on[server]) !== Boolean(services[name].depends_on[server]))
      found.push(`compose.yml: migrate-${name}: depends on other databases than its app`);
  for (const setting of ['MESSAGE_STORE', 'DATABASE_URL_FILE', 'MONGODB_URL_FILE'])
    if (service.environment[setting] !== services[name].environment[setting])
      found.push(`compose.yml: migrate-${name}: ${setting} differs from its app's`);
  return found;
}

function anyService(name, service) {
  const found = [];
  const pinned = /:v?\d+(\.\d+)+/.test(service.image) || OURS.test(service.image);
  if (!pinned) found.push(`the image ${service.image} is not pinned`);
  const { limits } = service.deploy?.resources ?? {};
  if (!limits?.cpus || !limits?.memory) found.push('has no limits of CPU and memory');
  if (!service.healthcheck && !OURS.test(service.image) && name !== SHELLLESS)
    found.push('has no health check');
  // One that ends is awaited by its end.
  if (service.healthcheck?.disable && service.restart !== 'on-failure')
    found.push('its health check is disabled, at which `up --wait` fails; leave it out');
  if (!service.restart) found.push('says nothing about restarts');
  for (const secret of service.secrets ?? [])
    if (!secrets[secret.source ?? secret]) found.push(`secret ${secret.source ?? secret} is not declared`);
  for (const volume of service.volumes ?? []) {
    const source = volume.split(':')[0];
    if (source.startsWith('.') && !existsSync(join(folder, source))) found.push(`${source} is not there`);
  }
  for (const value of Object.values(service.environment ?? {})) {
    const secret = /^\/run\/secrets\/(\w+)$/.exec(value)?.[1];
    if (secret && !(service.secrets ?? []).includes(secret)) found.push(`is not given the secret ${secret}`);
  }
  return found.map((text) => `compose: ${name}: ${text}`);
}

/** Every secret's file is one that docker/secrets.mjs makes, and no two runs make the same. */
function secretFiles() {
  const [first, second] = [makeSecrets(), makeSecrets()];
  return Object.entries(secrets).flatMap(([name, { file }]) => {
    const made = file.replace('./secrets/', '');
    if (!first[made]) return [`secrets.mjs: does not make ${file} for ${name}`];
    return first[made] === second[made] ? [`secrets.mjs: ${made} is always the same`] : [];
  });
}

function makeSecrets() {
  const target = mkdtempSync(join(tmpdir(), 'parley-secrets-'));
  try {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'secrets.mjs'), target]);
    if (status !== 0) throw new Error(`docker/secrets.mjs failed: ${stderr}`);
    return Object.fromEntries(
      readdirSync(target).map((name) => [name, readFileSync(join(target, name), 'utf8')]),
    );
  } finally {
    rmSync(target, { recursive: true });
  }
}

function scaled() {
  const replicas = documents['compose.scaled.yml'].services;
  return APPS.filter((name) => !(replicas[name]?.deploy.replicas > 1)).map(
    (name) => `compose.scaled.yml: ${name} has no second instance`,
  );
}

/** The load balancer is held to what all services are, stands alone at the published port, and is believed by Kong. */
function balanced() {
  const { services: added, networks } = documents['compose.balanced.yml'];
  const { 'load-balancer': balancer, kong } = added;
  const found = anyService('load-balancer', balancer);
  const [{ subnet }] = networks.front.ipam.config;
  if (kong.environment.KONG_TRUSTED_IPS !== subnet)
    found.push('compose.balanced.yml: kong: does not believe the network of the load balancer');
  if (kong.ports?.length !== 0) found.push('compose.balanced.yml: kong: is still published');
  if (!balancer.networks.includes('front') || balancer.networks.includes('backing'))
    found.push('compose.balanced.yml: load-balancer: should reach the gateways and no servers');
  return found;
}

/** Kong is told the same in Compose and in Kubernetes, loads what kong.yml uses and no more, and shows nobody its inside. */
function kongs() {
  const { kong } = services;
  const here = kong.environment;
  const deployment = parse(readFileSync(join(workspace, 'k8s/base/kong/deployment.yaml'), 'utf8'));
  const { env } = deployment.spec.template.spec.containers.find(({ name }) => name === 'kong');
  const there = Object.fromEntries(env.map(({ name, value }) => [name, value]));
  // There it comes from a ConfigMap, here from a variable.
  const names = new Set([...Object.keys(here), ...Object.keys(there)]);
  names.delete('KONG_TRUSTED_IPS');
  const text = (value) => String(value ?? 'nothing').replaceAll('$$', '$');
  const found = [...names]
    .filter((name) => text(here[name]) !== text(there[name]))
    .map((name) => `${name} is ${text(here[name])}, in Kubernetes ${text(there[name])}`);
  const used = pluginsOf(parse(read('kong/kong.yml').replace(/\$\{\w+\}/g, '0'), { merge: true }));
  if (here.KONG_PLUGINS !== used.join(',')) found.push(`KONG_PLUGINS should be ${used.join(',')}`);
  for (const name of ['KONG_ADMIN_LISTEN', 'KONG_ADMIN_GUI_LISTEN', 'KONG_HEADERS', 'KONG_ANONYMOUS_REPORTS'])
    if (here[name] !== 'off') found.push(`${name} is not off`);
  if (
    !(Number(here.KONG_NGINX_EVENTS_WORKER_CONNECTIONS) < Number(here.KONG_NGINX_MAIN_WORKER_RLIMIT_NOFILE))
  )
    found.push('leaves to the engine how many connections it has, or has files for fewer');
  if (!kong.ports.every((port) => port.endsWith(':8000'))) found.push('publishes more than its door');
  return found.map((what) => `compose.yml: kong: ${what}`);
}

/** The names of all plugins, in order. */
function pluginsOf({ plugins, routes, services: proxied }) {
  const entries = [{ plugins }, ...routes, ...proxied, ...proxied.flatMap((service) => service.routes)];
  const names = entries.flatMap((entry) => entry.plugins ?? []).map(({ name }) => name);
  return [...new Set(names)].sort();
}

/** Every app and migration is told of its certificates, and every secret there is made by a command. */
function encrypted() {
  const { services: over, secrets: files } = documents['compose.tls.yml'];
  const made = new Set([...Object.keys(makeSecrets()), ...CERTIFICATES]);
  const found = [];
  for (const name of [...APPS, ...APPS_WITH_TABLES.map((app) => `migrate-${app}`)]) {
    const { environment = {}, secrets: given = [] } = over[name] ?? {};
    if (environment.TLS_REQUIRED !== 'true') found.push(`${name} may connect without encryption`);
    for (const path of Object.values(environment).filter((value) => value.startsWith('/run/secrets/')))
      if (!given.includes(path.slice('/run/secrets/'.length))) found.push(`${name} is not given ${path}`);
    const app = name.replace('migrate-', '');
    const all = { ...defaults(services[app].environment), ...environment };
    found.push(...checkEnvironment(app, all).findings);
  }
  for (const { file } of Object.values(files))
    if (!made.has(file.replace(/^\.\/(secrets|certificates)\//, ''))) found.push(`nothing makes ${file}`);
  return found.map((text) => `compose.tls.yml: ${text}`);
}

/** Compose's `${NAME:-default}` with no variable given. */
function defaults(environment) {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')]),
  );
}

function read(name) {
  return readFileSync(join(folder, name), 'utf8');
}

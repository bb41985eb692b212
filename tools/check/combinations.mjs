// What the Compose files come to together, read as Docker Compose reads them: every combination that the documents and the
// files' own comments name. Merging has surprises that no single file shows.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiled } from './go.mjs';
import { workspace } from '../local/prepare.mjs';

const MONGO_TLS = '--tlsMode=requireTLS';
/** Of the environment: an address of a server, without encryption. */
const PLAIN = /sslmode=disable|tls=false|^(redis|amqp):\/\//;

/** Findings about all combinations, and why there are none where Go is missing. */
export function checkCombinations() {
  const { program, problem } = compiled('tools/check/compose');
  if (problem) return { findings: [], skipped: problem };
  return { findings: named().flatMap((files) => checkOne(program, files)) };
}

/** `-f` after `-f`, as docs, README and comments have them, each once. */
function named() {
  const places = ['docs', 'docker'].flatMap((folder) =>
    readdirSync(join(workspace, folder))
      .filter((name) => /\.(md|yml)$/.test(name))
      .map((name) => join(workspace, folder, name)),
  );
  const commands = places.flatMap(
    (path) => readFileSync(path, 'utf8').match(/docker compose( -f (docker\/)?compose[\w.]*yml)+/g) ?? [],
  );
  const names = commands.map((command) => command.match(/compose[\w.]*yml/g).join(' '));
  return [...new Set(names)].sort().map((files) => files.split(' '));
}

function checkOne(program, files) {
  const { status, stdout, stderr } = spawnSync(program, files, {
    cwd: join(workspace, 'docker'),
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME },
    maxBuffer: 64 * 1024 * 1024,
  });
  const found =
    status === 0
      ? [
          ...ports(JSON.parse(stdout)),
          ...(files.includes('compose.tls.yml')
            ? [...open(JSON.parse(stdout)), ...door(JSON.parse(stdout))]
            : []),
        ]
      : [stderr.trim()];
  return found.map((text) => `${files.join(' + ')}: ${text}`);
}

/** On loopback unless told otherwise, each once, and of one instance alone. */
function ports({ services }) {
  const taken = new Map();
  const found = [];
  for (const [name, { ports: published = [], deploy }] of Object.entries(services))
    for (const { host_ip: address, published: port } of published) {
      if (address !== '127.0.0.1') found.push(`${name}: ${port} is published to everybody`);
      if (taken.has(port)) found.push(`${name}: ${port} is published by ${taken.get(port)} already`);
      if (deploy?.replicas > 1) found.push(`${name}: several instances cannot publish ${port}`);
      taken.set(port, name);
    }
  return found;
}

/** Kong sends plain requests away, so whoever stands in front of it has to be open to HTTPS, and be the only one. */
function door({ services: { kong, 'load-balancer': balancer } }) {
  if (!balancer) return [];
  const { environment, ports: published, secrets = [] } = balancer;
  const shown = environment.TLS_CERTIFICATES;
  const given = secrets.map(
    ({ source, target = source }) => `${target.startsWith('/') ? '' : '/run/secrets/'}${target}`,
  );
  const isOpen = published.some(({ target }) => environment.TLS_BIND_ADDRESS === `:${target}`);
  return [
    ...(isOpen ? [] : ['load-balancer: is not open to HTTPS, to which Kong sends everybody']),
    ...[shown, `${shown}.key`]
      .filter((file) => !given.includes(file))
      .map((file) => `load-balancer: is not given ${file}`),
    ...(kong.ports?.length ? ['kong: is published beside the load balancer'] : []),
  ];
}

/** Whoever speaks to a server, and every server that would still be spoken to in plain. */
function open({ services }) {
  return Object.entries(services).flatMap(([name, { command, environment }]) => [
    ...(command?.[0] === 'mongod' && !command.includes(MONGO_TLS)
      ? [`${name}: takes plain connections`]
      : []),
    ...Object.entries(environment ?? {})
      .filter(([, value]) => PLAIN.test(value))
      .map(([setting]) => `${name}: ${setting} asks for no encryption`),
  ]);
}

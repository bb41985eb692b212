// The arrows between Kong, apps, migrations, servers, MongoDB's exporter and the collector of traces: what settings and addresses speak of is what
// the network allows, at the same ports, encrypted where the overlay demands it, and under names that the certificates hold.

/** Where an app finds its servers. An overlay that makes the addresses says the port itself. */
const SERVERS = {
  DATABASE_URL: { server: 'postgres', file: 'database.url', port: 5432 },
  MONGODB_URL: { server: 'mongodb', file: 'mongodb.url', port: 27017 },
  REDIS_URL: { server: 'redis', file: 'redis.url', port: 6379 },
  AMQP_URL: { server: 'rabbitmq', file: 'amqp.url', port: 5672, encryptedPort: 5671 },
};
const ENCRYPTED = /^rediss:|^amqps:|[?&]sslmode=verify-full\b|[?&]tls=true\b/;
const NAME = 'app.kubernetes.io/name';
const NAMESPACE = 'kubernetes.io/metadata.name';
const USES = 'parley/uses-';
const PORT = 3000;
/** Where names are asked for. */
const NAMES = ['kube-system/*:53/UDP', 'kube-system/*:53/TCP'];

/** Of an app: in from Kong and monitoring, out to names and to what the configuration speaks of; nothing else. */
export function appArrows(labels, config, objects) {
  const servers = Object.keys(SERVERS).filter((setting) => config[setting]);
  const collector = config.OTEL_EXPORTER_OTLP_ENDPOINT && new URL(config.OTEL_EXPORTER_OTLP_ENDPOINT);
  const [service, namespace] = collector ? collector.hostname.split('.') : [];
  return arrows(labels, objects, {
    servers,
    ingress: [`kong:${PORT}/TCP`, `monitoring/*:${PORT}/TCP`],
    egress: collector ? [`${namespace}/${service}:${collector.port}/TCP`] : [],
  });
}

/** Of a migration: in from nobody, out to the servers whose addresses it is given. */
export function migrationArrows(labels, environment, objects) {
  const servers = Object.keys(SERVERS).filter((setting) => environment[`${setting}_FILE`]);
  return arrows(labels, objects, { servers, ingress: [], egress: [] });
}

/** Of Kong: in from everybody where it listens for clients and from monitoring to its state, out to Redis and the apps. */
export function kongArrows(objects) {
  const { metadata, spec } = objects.find((one) => one.kind === 'Deployment' && one.metadata.name === 'kong')
    .spec.template;
  const [environment, rendered] = [spec.containers[0], spec.initContainers[0]].map(({ env }) =>
    Object.fromEntries(env.map(({ name, value }) => [name, value])),
  );
  const portsOf = (listeners) => [...listeners.matchAll(/:(\d+)/g)].map(([, port]) => port);
  const targets = Object.entries(rendered).filter(([name]) => name.endsWith('_TARGETS'));
  return arrows(metadata.labels, objects, {
    servers: ['REDIS_URL'],
    ingress: [
      ...portsOf(environment.KONG_PROXY_LISTEN).map((port) => `everybody:${port}/TCP`),
      ...portsOf(environment.KONG_STATUS_LISTEN).map((port) => `monitoring/*:${port}/TCP`),
    ],
    egress: targets.map(([, target]) => `${target}/TCP`),
  });
}

/** Of MongoDB's exporters, where they are: one for each member, in from monitoring where it tells, out to the members. */
export function exporterArrows(objects) {
  const exporter = exporterOf(objects);
  if (!exporter) return [];
  const { replicas, template } = exporter.spec;
  const { members } = objects.find(({ kind }) => kind === 'MongoDBCommunity').spec;
  const [{ ports }] = template.spec.containers;
  return [
    ...(replicas === members ? [] : [`tells of ${replicas} members, where there are ${members}`]),
    ...arrows(template.metadata.labels, objects, {
      servers: ['MONGODB_URL'],
      ingress: ports.map(({ containerPort }) => `monitoring/*:${containerPort}/TCP`),
      egress: [],
    }),
  ];
}

function exporterOf(objects) {
  return objects.find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'mongodb-exporter');
}

/** Of the first member, as Kubernetes fills in the variables: those alone that stand before. */
function exporterAddress(objects) {
  const known = new Map();
  for (const { name, value = '0' } of exporterOf(objects)?.spec.template.spec.containers[0].env ?? [])
    known.set(
      name,
      value.replace(/\$\((\w+)\)/g, (text, other) => known.get(other) ?? text),
    );
  return known.get('MONGODB_URI');
}

/** Compares what all policies together let pods with these `labels` do, to what they are to do. */
function arrows(labels, objects, { servers, ingress, egress }) {
  const used = servers.map((setting) => SERVERS[setting]);
  const policies = objects.filter(({ kind, spec }) => kind === 'NetworkPolicy' && selects(spec, labels));
  const isOutside = ({ server }) =>
    !objects.some(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === server);
  const out = [
    ...NAMES,
    ...egress,
    ...used.map((one) => `${one.server}:${portOf(one, objects)}/TCP`),
    ...used.filter(isOutside).map((one) => `network:${portOf(one, objects)}/TCP`),
  ];
  const marks = Object.keys(labels).filter((label) => label.startsWith(USES));
  return [
    ...differences(ways(policies, 'Ingress'), ingress, (way) => `is reached by ${way}`),
    ...differences(ways(policies, 'Egress'), out, (way) => `reaches ${way}`),
    ...differences(
      marks,
      used.map(({ server }) => `${USES}${server}`),
      (label) => `has the label ${label}`,
    ),
  ];
}

function differences(given, wanted, tell) {
  return [
    ...given.filter((one) => !wanted.includes(one)).map((one) => `${tell(one)}, for which there is no arrow`),
    ...wanted
      .filter((one) => !given.includes(one))
      .map((one) => `there is an arrow, but not so that it ${tell(one)}`),
  ];
}

/** What a selector asks beside labels counts as met: rather one policy too many is compared. */
function selects({ podSelector }, labels) {
  return Object.entries(podSelector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
}

/** `who:port/protocol` for all that is allowed in one direction, and `everybody` where nothing limits it. */
function ways(policies, direction) {
  const limiting = policies.filter(({ spec }) => spec.policyTypes.includes(direction));
  if (limiting.length === 0) return ['everybody:*'];
  const side = direction === 'Ingress' ? 'from' : 'to';
  return limiting.flatMap(({ spec }) =>
    (spec[direction.toLowerCase()] ?? []).flatMap((rule) => {
      const peers = rule[side]?.length ? rule[side].map(peerText) : ['everybody'];
      const ports = rule.ports?.length ? rule.ports.map(portText) : ['*'];
      return peers.flatMap((peer) => ports.map((port) => `${peer}:${port}`));
    }),
  );
}

function peerText({ namespaceSelector, podSelector, ipBlock }) {
  if (ipBlock) return /^(0\.0\.0\.0|::)\/0$/.test(ipBlock.cidr) ? 'everybody' : 'network';
  const pod = podSelector ? nameIn(podSelector, NAME) : '*';
  return namespaceSelector ? `${nameIn(namespaceSelector, NAMESPACE)}/${pod}` : pod;
}

/** What is selected otherwise than by its name alone is told as it stands there. */
function nameIn(selector, label) {
  const { matchLabels = {} } = selector;
  const isName = Object.keys(selector).length === 1 && Object.keys(matchLabels).join() === label;
  return isName ? matchLabels[label] : JSON.stringify(selector);
}

function portText({ port, endPort, protocol = 'TCP' }) {
  return `${port ?? '*'}${endPort ? `-${endPort}` : ''}/${protocol}`;
}

/** Every policy names a server with the port at which it is asked: of its users, and its own. */
export function serverArrows(objects) {
  return objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .flatMap(({ metadata, spec }) =>
      Object.values(SERVERS).flatMap((one) => {
        const uses = `${USES}${one.server}`;
        const rules = [
          ...(spec.ingress ?? []).filter((rule) => labelled(rule.from, uses)),
          ...(spec.egress ?? []).filter(
            (rule) =>
              spec.podSelector.matchLabels[uses] ||
              (labelled(rule.to, NAME, one.server) && spec.podSelector.matchLabels[NAME] !== one.server),
          ),
        ];
        const port = portOf(one, objects);
        return rules
          .flatMap((rule) => rule.ports ?? [{ port: 'any port' }])
          .filter((given) => given.port !== port)
          .map((given) => `NetworkPolicy ${metadata.name}: ${one.server} is at ${port}, not ${given.port}`);
      }),
    );
}

/** Addresses that an overlay makes are encrypted where it demands that, and their hosts stand in a certificate. */
export function encryption(objects) {
  if (!isEncrypted(objects)) return [];
  const certificates = objects.filter(({ kind }) => kind === 'Certificate');
  const names = certificates.flatMap(({ spec }) => spec.dnsNames ?? []);
  const addresses = Object.values(SERVERS).map(({ file }) => [file, addressIn(objects, file)]);
  const found = [];
  for (const [what, address] of [...addresses, ["mongodb-exporter's address", exporterAddress(objects)]]) {
    if (!address) continue;
    if (!ENCRYPTED.test(address)) found.push(`${what} asks for no encryption`);
    const host = /@([^:/]+)/.exec(address)[1];
    if (!names.includes(host) && !names.includes(host.replace(/^[^.]+/, '*')))
      found.push(`no certificate holds ${host}, to which ${what} leads`);
  }
  const kong = objects.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'kong');
  const [{ env, volumeMounts }] = kong.spec.template.spec.containers;
  const trusted = env.find(({ name }) => name === 'KONG_LUA_SSL_TRUSTED_CERTIFICATE')?.value ?? '';
  if (!volumeMounts.some(({ mountPath }) => trusted.startsWith(`${mountPath}/`)))
    found.push('kong: is not given whom to trust');
  return found;
}

function portOf({ file, port, encryptedPort }, objects) {
  const given = /@[^/]*:(\d+)/.exec(addressIn(objects, file) ?? '')?.[1];
  return given ? Number(given) : isEncrypted(objects) ? (encryptedPort ?? port) : port;
}

function addressIn(objects, file) {
  return objects.map(({ spec }) => spec?.target?.template?.data?.[file]).find(Boolean);
}

function isEncrypted(objects) {
  return objects.some(({ kind, data }) => kind === 'ConfigMap' && data.TLS_REQUIRED === 'true');
}

function labelled(peers, label, value) {
  return (peers ?? []).some(({ podSelector }) => {
    const given = podSelector?.matchLabels?.[label];
    return value ? given === value : given !== undefined;
  });
}

// The arrows between apps, servers and the collector of traces: what settings and addresses speak of is what the network
// allows, at the same ports, encrypted where the overlay demands it, and under names that the certificates hold.

/** Where an app finds its servers. An overlay that makes the addresses says the port itself. */
const SERVERS = {
  DATABASE_URL: { server: 'postgres', file: 'database.url', port: 5432 },
  MONGODB_URL: { server: 'mongodb', file: 'mongodb.url', port: 27017 },
  REDIS_URL: { server: 'redis', file: 'redis.url', port: 6379 },
  AMQP_URL: { server: 'rabbitmq', file: 'amqp.url', port: 5672, encryptedPort: 5671 },
};
const ENCRYPTED = /^rediss:|^amqps:|[?&]sslmode=verify-full\b|[?&]tls=true\b/;
const NAME = 'app.kubernetes.io/name';

/** In from Kong and monitoring, out to names and to what the configuration speaks of; nothing else. */
export function appArrows({ ingress, egress }, config, objects) {
  const wanted = Object.entries(SERVERS)
    .filter(([setting]) => config[setting])
    .map(([, one]) => `${one.server}:${portOf(one, objects)}`);
  const collector = config.OTEL_EXPORTER_OTLP_ENDPOINT && new URL(config.OTEL_EXPORTER_OTLP_ENDPOINT);
  if (collector) {
    const [service, namespace] = collector.hostname.split('.');
    wanted.push(`${service}/${namespace}:${collector.port}`);
  }
  const out = ['kube-system:53', 'kube-system:53', ...wanted].sort().join(' ');
  return [
    ...(text(ingress, 'from') === 'kong:3000 monitoring:3000'
      ? []
      : ['lets in others than Kong and monitoring']),
    ...(text(egress, 'to') === out ? [] : [`may reach ${text(egress, 'to')} but needs ${out}`]),
  ];
}

/** Every policy names a server with the port at which it is asked: of its users, and its own. */
export function serverArrows(objects) {
  return objects
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .flatMap(({ metadata, spec }) =>
      Object.values(SERVERS).flatMap((one) => {
        const uses = `parley/uses-${one.server}`;
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
          .flatMap((rule) => rule.ports)
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
  const found = [];
  for (const { file } of Object.values(SERVERS)) {
    const address = addressIn(objects, file);
    if (!address) continue;
    if (!ENCRYPTED.test(address)) found.push(`${file} asks for no encryption`);
    const host = /@([^:/]+)/.exec(address)[1];
    if (!names.includes(host)) found.push(`no certificate holds ${host}, to which ${file} leads`);
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

function text(rules, side) {
  return rules
    .flatMap((rule) =>
      rule[side].flatMap((peer) => {
        const labels = { ...peer.podSelector?.matchLabels, ...peer.namespaceSelector?.matchLabels };
        return rule.ports.map(({ port }) => `${Object.values(labels).join('/')}:${port}`);
      }),
    )
    .sort()
    .join(' ');
}

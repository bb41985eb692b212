// The door of the gateway in Kubernetes: who comes in is known by the own address, what is said there is encrypted, and the
// certificate that is shown there is watched.

/** Nothing is found where the service is not published: something else is the door then. */
export function gatewayDoor(objects) {
  const of = (kind, name) => objects.find((one) => one.kind === kind && one.metadata.name === name);
  const service = of('Service', 'kong');
  const { spec } = of('Deployment', 'kong').spec.template;
  const [kong] = spec.containers;
  const env = Object.fromEntries(kong.env.map(({ name, value }) => [name, value]));
  const settings = of('ConfigMap', kong.envFrom[0].configMapRef.name).data;
  const listeners = env.KONG_PROXY_LISTEN.split(',').map((text) => ({
    port: Number(/:(\d+)/.exec(text)[1]),
    encrypted: /\bssl\b/.test(text),
  }));
  const portOf = (target) => kong.ports.find(({ name }) => name === target)?.containerPort ?? target;
  const doors = service.spec.ports.map(({ port, targetPort }) => ({
    port,
    listener: listeners.find((one) => one.port === portOf(targetPort)),
  }));
  const found = doors.filter(({ listener }) => !listener).map(({ port }) => `${port} leads to no listener`);
  if (listeners.some(({ encrypted }) => encrypted))
    found.push(...shown(spec, env, objects), ...unwatched(spec, env, objects));
  if (service.spec.type === 'LoadBalancer') {
    if (service.spec.externalTrafficPolicy !== 'Local')
      found.push(
        'nodes put their own addresses in place of the clients’: externalTrafficPolicy is not Local',
      );
    // With a trusted balancer in front TLS may end there.
    if (
      !settings.KONG_TRUSTED_IPS &&
      !doors.some(({ port, listener }) => port === 443 && listener?.encrypted)
    )
      found.push('443 is not encrypted');
    if (settings.HTTPS_ONLY !== 'true') found.push('HTTPS_ONLY is not true, so passwords may come in plain');
    for (const network of (settings.KONG_TRUSTED_IPS ?? '').split(',').filter(isPrivate))
      found.push(`KONG_TRUSTED_IPS=${network}: clients of that network could name any address`);
  }
  return found.map((text) => `kong: ${text}`);
}

/** Of private networks only single machines are trusted, not whole ranges. */
function isPrivate(network) {
  const [address, bits] = network.split('/');
  return /^(10|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(address) && Number(bits ?? 32) <= 16;
}

/** Certificate and key are mounted from a secret that holds both, under these names. */
function shown(spec, env, objects) {
  return ['KONG_SSL_CERT', 'KONG_SSL_CERT_KEY'].flatMap((name) => {
    const path = env[name] ?? '';
    const { secret, file } = mountedAt(path, spec);
    if (!secret) return [`${name}: ${path || 'nothing'} is not mounted from a secret`];
    return keysOf(secret.secretName, objects).includes(file) ? [] : [`${secret.secretName} holds no ${file}`];
  });
}

/** Where cert-manager makes what is shown, rules speak of it, by its name and namespace. */
function unwatched(spec, env, objects) {
  const { secret } = mountedAt(env.KONG_SSL_CERT ?? '', spec);
  const made = objects.filter(
    (one) => one.kind === 'Certificate' && one.spec.secretName === secret?.secretName,
  );
  const expressions = objects
    .filter(({ kind }) => kind === 'PrometheusRule')
    .flatMap((one) => one.spec.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)));
  return made.flatMap(({ metadata: { name, namespace } }) =>
    ['expiration_timestamp_seconds', 'ready_status']
      .map((metric) => `certmanager_certificate_${metric}{name="${name}",exported_namespace="${namespace}"`)
      .filter((series) => !expressions.some((expr) => expr.includes(series)))
      .map((series) => `no alert watches ${series}}`),
  );
}

function mountedAt(path, { containers: [{ volumeMounts }], volumes }) {
  const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const secret = volumes.find(({ name }) => name === mount?.name)?.secret;
  return { secret, file: mount && path.slice(mount.mountPath.length + 1) };
}

function keysOf(secret, objects) {
  return objects.flatMap(({ kind, spec }) => {
    if (kind === 'Certificate' && spec.secretName === secret) return ['tls.crt', 'tls.key', 'ca.crt'];
    if (kind === 'ExternalSecret' && spec.target.name === secret)
      return spec.data.map((one) => one.secretKey);
    return [];
  });
}

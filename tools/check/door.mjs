// The door of the gateway in Kubernetes: who comes in is known by the own address, and what is said there is encrypted.

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
  if (listeners.some(({ encrypted }) => encrypted)) found.push(...shown(spec, env, objects));
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
  const { volumeMounts } = spec.containers[0];
  return ['KONG_SSL_CERT', 'KONG_SSL_CERT_KEY'].flatMap((name) => {
    const path = env[name] ?? '';
    const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
    const secret = spec.volumes.find((one) => one.name === mount?.name)?.secret;
    if (!secret) return [`${name}: ${path || 'nothing'} is not mounted from a secret`];
    const file = path.slice(mount.mountPath.length + 1);
    return keysOf(secret.secretName, objects).includes(file) ? [] : [`${secret.secretName} holds no ${file}`];
  });
}

function keysOf(secret, objects) {
  return objects.flatMap(({ kind, spec }) => {
    if (kind === 'Certificate' && spec.secretName === secret) return ['tls.crt', 'tls.key', 'ca.crt'];
    if (kind === 'ExternalSecret' && spec.target.name === secret)
      return spec.data.map((one) => one.secretKey);
    return [];
  });
}

// `npm run check:kubernetes`: builds every base and overlay with kustomize and checks what comes out: Kubernetes' schema,
// the settings of each app, time to drain, hardening, and that the network allows exactly the arrows of the
// architecture. Without kubectl only the files' syntax is checked, loudly.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { APPS, APPS_WITH_TABLES } from './apps.mjs';
import {
  appArrows,
  encryption,
  exporterArrows,
  kongArrows,
  migrationArrows,
  serverArrows,
} from './arrows.mjs';
import { databaseConnections } from './connections.mjs';
import { checkCustomResources, isCustom } from './custom-resources.mjs';
import { gatewayDoor } from './door.mjs';
import { exposedMetrics } from './metrics.mjs';
import { unnoticed } from './mutations.mjs';
import { checkEnvironment } from './settings.mjs';
import { typeErrors } from './types.mjs';
import { workspace } from '../local/prepare.mjs';

const require = createRequire(import.meta.url);
/** What a migration is told as its app is. */
const SAME_IN_MIGRATION = [
  'MESSAGE_STORE',
  'DATABASE_URL_FILE',
  'MONGODB_URL_FILE',
  'TLS_CA_FILE',
  'TLS_REQUIRED',
];

const exposed = exposedMetrics();
const served = /\^\((.*?)\)\$/
  .exec(readFileSync(join(workspace, 'k8s/base/monitoring/adapter-values.yaml'), 'utf8'))[1]
  .split('|');

const findings = generated();
if (spawnSync('kubectl', ['version', '--client']).error)
  console.log('SKIPPED: kubectl is not installed, so k8s is not built and not checked.');
else await withCopy(checkAll);
for (const finding of new Set(findings)) console.log(`k8s/${finding}`);
process.exit(findings.length > 0 ? 1 : 0);

function generated() {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['k8s/generate.mjs', '--check'], {
    cwd: workspace,
    encoding: 'utf8',
  });
  return status === 0 ? [] : [`generate.mjs: ${stdout}${stderr}`];
}

/** In a copy, since the local overlay takes secrets from files that are not in the repository. */
function withCopy(work) {
  const folder = mkdtempSync(join(tmpdir(), 'parley-k8s-'));
  try {
    cpSync(join(workspace, 'k8s'), folder, { recursive: true });
    const secrets = join(folder, 'overlays/local/secrets');
    const { status, stderr } = spawnSync(process.execPath, [join(workspace, 'docker/secrets.mjs'), secrets]);
    if (status !== 0) throw new Error(String(stderr));
    withOptions(folder);
    work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Components that no overlay uses are checked on top of each, as somebody would use them. */
function withOptions(folder) {
  const overlays = readdirSync(join(folder, 'overlays'));
  const texts = overlays.map((name) =>
    readFileSync(join(folder, 'overlays', name, 'kustomization.yaml'), 'utf8'),
  );
  for (const name of readdirSync(join(folder, 'components')))
    if (!texts.some((text) => new RegExp(`^components:.*components/${name}\\b`, 'm').test(text)))
      for (const overlay of overlays) {
        const target = join(folder, 'overlays', `${overlay}-with-${name}`);
        mkdirSync(target);
        const kustomization = { resources: [`../${overlay}`], components: [`../../components/${name}`] };
        writeFileSync(join(target, 'kustomization.yaml'), JSON.stringify(kustomization));
      }
}

function checkAll(folder) {
  const bases = readdirSync(join(folder, 'base'));
  const alone = bases.map((name) => ({ where: `base/${name}`, objects: build(folder, `base/${name}`) }));
  const overlays = readdirSync(join(folder, 'overlays')).map((name) => ({
    where: `overlays/${name}`,
    objects: build(folder, `overlays/${name}`),
  }));
  for (const app of APPS.filter((app) => !bases.includes(app))) findings.push(`base: there is no ${app}`);
  schema([...alone, ...overlays]);
  const owners = ownersIn(alone);
  for (const { where, objects } of overlays) {
    const configs = new Map(APPS.map((app) => [app, checkApp(where, objects, app)]));
    for (const object of objects) checkPods(where, object);
    secretsGiven(where, objects);
    if ([...configs.values()].includes(undefined)) continue;
    const compared = (changed) => allArrows(changed, configs);
    const arrows = compared(objects);
    for (const text of [
      ...arrows,
      ...(arrows.length > 0 ? [] : unnoticed(objects, compared)),
      ...encryption(objects),
      ...gatewayDoor(objects),
      ...databaseConnections(objects, configs),
      ...selectable(objects, owners),
      ...(where.startsWith('overlays/production') ? images(objects) : []),
    ])
      findings.push(`${where}: ${text}`);
  }
}

function build(folder, path) {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(folder, path)], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    findings.push(`${path}: ${stderr}`);
    return [];
  }
  const objects = parseAllDocuments(stdout, { uniqueKeys: true }).map((document) => document.toJS());
  // kustomize breaks long base64 into lines, which Kubernetes takes and the schema does not know.
  for (const { kind, data } of objects)
    if (kind === 'Secret') for (const name in data) data[name] = data[name].replace(/\s/g, '');
  return objects;
}

/** Twice: the JSON schema sees wrong values, the types see misspelt names. Custom resources by their operators' schemas. */
function schema(builds) {
  const items = [];
  const customs = [];
  for (const { where, objects } of builds)
    for (const object of objects) {
      const id = `${where}: ${object.kind} ${object.metadata?.name}`;
      if (isCustom(object)) customs.push({ id, value: object });
      else {
        const from = `kubernetes-models/${object.apiVersion}`;
        try {
          new (require(from)[object.kind])(object).validate();
        } catch (error) {
          findings.push(`${id}: ${error.message}`);
        }
        items.push({ id, from, type: `I${object.kind}`, value: object });
      }
    }
  const custom = checkCustomResources(customs);
  findings.push(...[...typeErrors(items), ...custom.findings].map(({ id, message }) => `${id}: ${message}`));
  for (const what of custom.skipped) console.log(`SKIPPED: no schema for the custom resources of ${what}.`);
}

/** Of the apps, their migrations, Kong, MongoDB's exporter and the servers. */
function allArrows(objects, configs) {
  const podOf = (kind, name) =>
    objects.find((one) => one.kind === kind && one.metadata.name === name)?.spec.template;
  const found = [...configs].flatMap(([app, config]) => {
    const job = podOf('Job', `${app}-migration`);
    const told = (name, texts) => texts.map((text) => `${name} ${text}`);
    return [
      ...told(app, appArrows(podOf('Deployment', app).metadata.labels, config, objects)),
      ...(job
        ? told(`${app}-migration`, migrationArrows(job.metadata.labels, environmentOf(job.spec), objects))
        : []),
    ];
  });
  return [
    ...found,
    ...kongArrows(objects).map((text) => `kong ${text}`),
    ...exporterArrows(objects).map((text) => `mongodb-exporter ${text}`),
    ...serverArrows(objects),
  ];
}

/** `Kind/name` of what the apps and Kong are made of, to whose it is. */
function ownersIn(bases) {
  return new Map(
    [...APPS, 'kong'].flatMap((app) =>
      bases.find(({ where }) => where === `base/${app}`).objects.map((one) => [identity(one), app]),
    ),
  );
}

/** What a generator made has its content in its name. */
function identity({ kind, metadata: { name } }) {
  return `${kind}/${kind === 'ConfigMap' ? name.replace(/-[0-9a-z]{10}$/, '') : name}`;
}

/** docs/operations.md takes apps and Kong back by `parley/app`, and leaves the servers. */
function selectable(objects, owners) {
  return objects
    .filter((one) => one.metadata.labels?.['parley/app'] !== owners.get(identity(one)))
    .map((one) => `${identity(one)}: parley/app is not ${owners.get(identity(one)) ?? 'absent'}`);
}

/** They are called as the workflow calls those that it publishes. */
function images(objects) {
  const workflow = readFileSync(join(workspace, '.github/workflows/publish.yml'), 'utf8');
  const name = /^ *images: (.*)$/m.exec(workflow)[1].replace('${{ github.repository }}', 'OWNER/parley');
  const published = [...APPS, 'render'].map((app) => name.replace('${{ matrix.app }}', app));
  const used = objects.flatMap(({ spec }) =>
    [...(spec?.template?.spec?.initContainers ?? []), ...(spec?.template?.spec?.containers ?? [])].map(
      ({ image }) => image.replace(/:[^:]*$/, ''),
    ),
  );
  return [...new Set(used)]
    .filter((image) => image.includes('parley/') && !published.includes(image))
    .map((image) => `${image} is not what publish.yml publishes`);
}

/** Returns the app's configuration, if it has one. */
function checkApp(where, objects, app) {
  const of = (kind, name = app) => objects.find((one) => one.kind === kind && one.metadata.name === name);
  const complain = (text) => findings.push(`${where}: ${app}: ${text}`);
  for (const kind of [
    'Deployment',
    'Service',
    'PodDisruptionBudget',
    'HorizontalPodAutoscaler',
    'NetworkPolicy',
  ])
    if (!of(kind)) return void complain(`has no ${kind}`);
  if (APPS_WITH_TABLES.includes(app) !== Boolean(of('Job', `${app}-migration`)))
    complain('a migration is missing or too many');
  const { spec } = of('Deployment').spec.template;
  const [container] = spec.containers;
  const settings = of('ConfigMap', container.envFrom[0].configMapRef.name).data;
  const own = Object.fromEntries(
    (container.env ?? []).map(({ name, value }) => [name, value ?? 'from-the-pod']),
  );
  const { findings: wrong, config } = checkEnvironment(app, { ...settings, ...own });
  for (const text of wrong) complain(text);
  if (!config) return undefined;
  if (spec.terminationGracePeriodSeconds * 1000 <= config.DRAIN_TIMEOUT_MS + config.DRAIN_GRACE_MS)
    complain('terminationGracePeriodSeconds is not longer than draining may take');
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    if (!container[probe]) complain(`has no ${probe}`);
  mounts(spec, { ...settings, ...own }).forEach(complain);
  const job = of('Job', `${app}-migration`);
  if (job) migration(job.spec.template.spec, settings).forEach(complain);
  for (const { pods } of of('HorizontalPodAutoscaler').spec.metrics)
    if (pods) checkScaling(pods.metric.name).forEach(complain);
  return config;
}

/** It reaches the databases that its app does, in the same way, and is given no more. */
function migration(spec, settings) {
  const env = environmentOf(spec);
  return [
    ...SAME_IN_MIGRATION.filter((name) => env[name] !== settings[name]).map(
      (name) => `the migration's ${name} is ${env[name]}, the app's ${settings[name]}`,
    ),
    ...Object.keys(env)
      .filter((name) => !SAME_IN_MIGRATION.includes(name))
      .map((name) => `the migration does not read ${name}`),
    ...mounts(spec, env).map((text) => `migration: ${text}`),
  ];
}

function environmentOf(spec) {
  return Object.fromEntries(spec.containers[0].env.map(({ name, value }) => [name, value]));
}

/** What it scales on is exposed by an app and served by the adapter. */
function checkScaling(name) {
  return [
    ...(exposed.has(name) ? [] : [`scales on ${name}, which nothing exposes`]),
    ...(served.includes(name)
      ? []
      : [`scales on ${name}, which base/monitoring/adapter-values.yaml does not serve`]),
  ];
}

/** What a setting names as a file is mounted there, and no secret is mounted that no setting names. */
function mounts(spec, environment) {
  const named = Object.values(environment).filter((value) => value.startsWith('/run/secrets/parley/'));
  const mounted = spec.volumes
    .find(({ name }) => name === 'secrets')
    .projected.sources.flatMap(({ secret }) => secret.items.map(({ path }) => `/run/secrets/parley/${path}`));
  return [
    ...named.filter((path) => !mounted.includes(path)).map((path) => `${path} is not mounted`),
    ...mounted.filter((path) => !named.includes(path)).map((path) => `${path} is mounted and not needed`),
  ];
}

/** No root, no writing, no latest, bounded. */
function checkPods(where, object) {
  const pod = object.spec?.template?.spec;
  if (!pod) return;
  const complain = (text) => findings.push(`${where}: ${object.kind} ${object.metadata.name}: ${text}`);
  if (!pod.securityContext?.runAsNonRoot || !(pod.securityContext.runAsUser > 0)) complain('may run as root');
  if (pod.automountServiceAccountToken !== false) complain('is given a token of the cluster');
  for (const { name, image, resources, securityContext } of [
    ...(pod.initContainers ?? []),
    ...pod.containers,
  ]) {
    if (!/:(v?\d+(\.\d+)+[\w.-]*|local)$/.test(image)) complain(`${name}: the image ${image} is not pinned`);
    for (const kind of ['requests', 'limits'])
      if (!resources?.[kind]?.cpu || !resources[kind].memory)
        complain(`${name}: no ${kind} of CPU and memory`);
    if (
      securityContext?.allowPrivilegeEscalation !== false ||
      !securityContext.capabilities?.drop.includes('ALL')
    )
      complain(`${name}: keeps privileges`);
    // Servers of the local overlay, which keep data, write where their images want it.
    if (!object.spec.volumeClaimTemplates && !securityContext?.readOnlyRootFilesystem)
      complain(`${name}: may write`);
  }
}

/** Every secret that a pod mounts or has in its environment is made by the overlay, and no overlay holds one in plain. */
function secretsGiven(where, objects) {
  const made = new Set(
    objects
      .filter(({ kind }) => ['Secret', 'ExternalSecret', 'Certificate'].includes(kind))
      .map((one) => one.spec?.target?.name ?? one.spec?.secretName ?? one.metadata.name),
  );
  for (const { kind, metadata, spec } of objects) {
    const { volumes = [], containers = [] } = spec?.template?.spec ?? {};
    const named = [
      ...volumes.flatMap(({ secret, projected }) => [
        secret?.secretName,
        ...(projected?.sources ?? []).map((one) => one.secret?.name),
      ]),
      ...containers.flatMap(({ env = [] }) => env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name)),
    ];
    for (const name of named.filter((one) => one && !made.has(one)))
      findings.push(`${where}: ${kind} ${metadata.name}: nothing makes the secret ${name}`);
  }
}

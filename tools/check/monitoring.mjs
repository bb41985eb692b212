// `npm run check:monitoring`: rules, dashboards and runbooks speak of metrics that exist and belong together. With
// promtool (package prometheus) the rules are also parsed and their tests run, with amtool (package
// prometheus-alertmanager, or built where Go is there) the receivers of alerts are parsed; without them these parts are
// skipped, loudly.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { APPS } from './apps.mjs';
import { dashboardErrors } from './grafana.mjs';
import { installed } from './go.mjs';
import { exposedMetrics, filesIn } from './metrics.mjs';
import { workspace } from '../local/prepare.mjs';

/** Of servers that are not ours: their documentation is the source. */
const FOREIGN = new Set([
  'certmanager_certificate_expiration_timestamp_seconds',
  'certmanager_certificate_ready_status',
  'haproxy_backend_active_servers',
  'haproxy_backend_connection_errors_total',
  'haproxy_frontend_current_sessions',
  'haproxy_frontend_denied_connections_total',
  'haproxy_frontend_limit_sessions',
  'haproxy_server_current_sessions',
  'kong_http_requests_total',
  'kong_upstream_target_health',
  'mongodb_rs_members_health',
  'mongodb_rs_members_optimeDate',
  'mongodb_rs_myState',
  'mongodb_ss_asserts',
  'mongodb_ss_connections',
  'mongodb_ss_globalLock_currentQueue',
  'mongodb_ss_opcounters',
  'mongodb_ss_wt_cache_bytes_currently_in_the_cache',
  'mongodb_ss_wt_cache_maximum_bytes_configured',
  'mongodb_ss_wt_cache_tracked_dirty_bytes_in_the_cache',
  'mongodb_up',
  'node_cpu_seconds_total',
  'node_disk_io_time_seconds_total',
  'node_filesystem_avail_bytes',
  'node_filesystem_size_bytes',
  'node_memory_MemAvailable_bytes',
  'node_memory_MemTotal_bytes',
  'node_pressure_cpu_waiting_seconds_total',
  'node_pressure_io_waiting_seconds_total',
  'node_pressure_memory_waiting_seconds_total',
  'pg_database_size_bytes',
  'pg_settings_max_connections',
  'pg_stat_activity_count',
  'pg_stat_activity_max_tx_duration',
  'pg_stat_database_blks_hit',
  'pg_stat_database_blks_read',
  'pg_stat_database_deadlocks',
  'pg_stat_database_xact_commit',
  'pg_stat_database_xact_rollback',
  'pg_up',
  'rabbitmq_alarms_free_disk_space_watermark',
  'rabbitmq_alarms_memory_used_watermark',
  'rabbitmq_channels',
  'rabbitmq_connections',
  'rabbitmq_disk_space_available_bytes',
  'rabbitmq_disk_space_available_limit_bytes',
  'rabbitmq_global_messages_delivered_total',
  'rabbitmq_global_messages_received_total',
  'rabbitmq_process_resident_memory_bytes',
  'rabbitmq_queue_messages_ready',
  'rabbitmq_queue_messages_unacked',
  'rabbitmq_resident_memory_limit_bytes',
  'redis_commands_processed_total',
  'redis_connected_clients',
  'redis_cpu_sys_seconds_total',
  'redis_cpu_user_seconds_total',
  'redis_memory_max_bytes',
  'redis_memory_used_bytes',
  'redis_rejected_connections_total',
  'redis_up',
  'up',
]);
const WORDS = new Set(
  'sum max min avg count by on or and unless without ignoring group_left group_right bool offset vector absent topk'.split(
    ' ',
  ),
);

/** Rules for Kubernetes alone, in the operator's form, with their tests beside them. */
const componentRules = filesIn('k8s/components', /\/rules\.yaml$/);
const rules = [
  ...filesIn('docker/prometheus/rules', /\.yml$/).map((file) => parse(read(file))),
  ...componentRules.map((file) => parse(read(file)).spec),
].flatMap(({ groups }) => groups.flatMap((group) => group.rules));
const alerts = rules.filter(({ alert }) => alert);
const dashboards = readdirSync(join(workspace, 'docker/grafana/dashboards'))
  .map((name) => `docker/grafana/dashboards/${name}`)
  .map((file) => ({ file, content: JSON.parse(read(file)) }));
const exposed = new Set([...exposedMetrics(), ...FOREIGN, ...rules.flatMap(({ record }) => record ?? [])]);
const findings = [
  ...rules.flatMap(({ alert, record, expr }) => unknownMetrics(`rule ${alert ?? record}`, expr)),
  ...dashboardErrors(dashboards),
  ...dashboards.flatMap(panelMetrics),
  ...runbooks(),
  ...scraped(),
  ...silencers(),
  ...promtool(),
  ...amtool(),
];
for (const finding of findings) console.log(finding);
process.exit(findings.length > 0 ? 1 : 0);

/** What is left of an expression without strings, label lists, ranges, functions and words is names of metrics. */
function unknownMetrics(where, expression) {
  const bare = expression
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b\d[\w.]*/g, '')
    .replace(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, '')
    .replace(/\b[a-z_]+\s*\(/g, '(');
  return (bare.match(/[a-z_][a-zA-Z0-9_:]*/g) ?? [])
    .filter((name) => !WORDS.has(name) && !exposed.has(name))
    .map((name) => `${where}: nothing exposes ${name}`);
}

function panelMetrics({ file, content }) {
  return content.panels.flatMap(({ title, targets }) =>
    targets.flatMap(({ expr }) => unknownMetrics(`${file}: ${title}`, expr)),
  );
}

/** Every alert names a runbook that is there, and has a test; every runbook has an alert. */
function runbooks() {
  const tests = [...filesIn('docker/prometheus/tests', /\.yml$/), ...componentRules.map(testOf)]
    .map(read)
    .join('\n');
  const pages = readdirSync(join(workspace, 'docs/runbooks')).filter((page) => page !== 'README.md');
  return [
    ...alerts
      .filter(
        ({ alert, annotations }) =>
          annotations.runbook !== `{{ $externalLabels.docs }}docs/runbooks/${alert}.md`,
      )
      .map(({ alert }) => `${alert}: its annotation does not name docs/runbooks/${alert}.md`),
    ...alerts
      .filter(({ alert }) => !existsSync(join(workspace, `docs/runbooks/${alert}.md`)))
      .map(({ alert }) => `${alert}: docs/runbooks/${alert}.md is not there`),
    ...alerts
      .filter(({ alert }) => !tests.includes(`alertname: ${alert}\n`))
      .map(({ alert }) => `${alert}: there is no test of it`),
    ...pages
      .filter((page) => !alerts.some(({ alert }) => `${alert}.md` === page))
      .map((page) => `docs/runbooks/${page}: there is no such alert`),
  ];
}

/** Every app is a job of its own. */
function scraped() {
  const jobs = parse(read('docker/prometheus/prometheus.yml')).scrape_configs.map(({ job_name }) => job_name);
  return APPS.filter((app) => !jobs.includes(app)).map((app) => `prometheus.yml: ${app} is not scraped`);
}

/** What silences others says that all of its job is down: a critical alert on a part of it would hide the other parts'. */
function silencers() {
  return filesIn('docker/alertmanager', /\.yml$/).flatMap((file) =>
    parse(read(file)).inhibit_rules.flatMap(({ source_matchers: matchers }) => {
      const [, pattern] = /^alertname =~ "(.+)"$/.exec(matchers[0]) ?? [];
      if (!pattern) return [`${file}: a critical alert on a part silences what is said of others`];
      const named = new RegExp(`^(?:${pattern})$`);
      const found = alerts.filter(({ alert }) => named.test(alert));
      const names = pattern.split('|').length;
      return [
        ...found
          .filter(({ labels }) => labels.severity !== 'critical')
          .map(({ alert }) => `${file}: ${alert} silences others and is not critical`),
        ...(found.length === names
          ? []
          : [`${file}: names ${names} alerts, and there are ${found.length} of them`]),
      ];
    }),
  );
}

function promtool() {
  if (spawnSync('promtool', ['--version']).error) {
    console.log('SKIPPED: promtool is not installed, so rules are not parsed and their tests not run.');
    return [];
  }
  return [
    ...runPromtool(workspace, 'check', 'config', '--syntax-only', 'docker/prometheus/prometheus.yml'),
    ...runPromtool(workspace, 'check', 'rules', ...filesIn('docker/prometheus/rules', /\.yml$/)),
    ...runPromtool(workspace, 'test', 'rules', ...filesIn('docker/prometheus/tests', /\.yml$/)),
    ...componentRules.flatMap(promtoolOfComponent),
  ];
}

/** It knows no manifests, so it is given the groups alone under the same name, and the test beside them. */
function promtoolOfComponent(file) {
  const folder = mkdtempSync(join(tmpdir(), 'parley-rules-'));
  try {
    writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: parse(read(file)).spec.groups }));
    copyFileSync(join(workspace, testOf(file)), join(folder, 'rules.test.yml'));
    return [
      ...runPromtool(folder, 'check', 'rules', 'rules.yaml'),
      ...runPromtool(folder, 'test', 'rules', 'rules.test.yml'),
    ].map((text) => `${file}: ${text}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function runPromtool(cwd, ...args) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd, encoding: 'utf8' });
  return status === 0 ? [] : [`promtool ${args.slice(0, 2).join(' ')}:\n${stdout}${stderr}`];
}

function testOf(file) {
  return join(dirname(file), 'rules.test.yml');
}

function amtool() {
  const { program, problem } = findAmtool();
  if (problem) {
    console.log(`SKIPPED: there is no amtool (${problem}), so the receivers of alerts are not parsed.`);
    return [];
  }
  const args = ['check-config', ...filesIn('docker/alertmanager', /\.yml$/)];
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: workspace, encoding: 'utf8' });
  return status === 0 ? [] : [`amtool check-config:\n${stdout}${stderr}`];
}

/** The installed one, or that of the Alertmanager of Compose. */
function findAmtool() {
  if (!spawnSync('amtool', ['--version']).error) return { program: 'amtool' };
  const { image } = parse(read('docker/compose.monitoring.yml')).services.alertmanager;
  return installed(`github.com/prometheus/alertmanager/cmd/amtool@${image.split(':')[1]}`);
}

function read(path) {
  return readFileSync(join(workspace, path), 'utf8');
}

import { join, resolve } from 'node:path';
import { runCommand, unlessInterrupted } from '@parley/tool-local';
import { startSystem, type System } from '@parley/tool-load';
import { examinePanels } from './examine';
import { panelQueries } from './panels';
import { PrometheusQueries } from './query';
import { workload } from './workload';

const WORKSPACE = resolve(__dirname, '../../..');
const DASHBOARDS = join(WORKSPACE, 'docker/grafana/dashboards');
const INTERVAL = '1s';
/** Grafana takes four scrapes at least; more here, for a busy machine misses some. */
const RATE_INTERVAL = '30s';
/** An instance that was killed and started again is scraped well within this. */
const TARGET_GRACE_MS = 20_000;

/** What tells of MongoDB, and the apps' connections to it: here messages are kept in PostgreSQL, and the exporter is in no package. */
const MONGODB = { job: 'mongodb', metrics: /\b(parley_)?mongodb_/ };

const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

async function main(interrupted: AbortSignal): Promise<void> {
  const system = await startSystem({
    name: 'monitoring',
    scale: { realtime: 2, messaging: 2 },
    // Behind the load balancer, which has panels too.
    gateways: 2,
    prometheus: { interval: INTERVAL, exporters: true },
    isTemporary: true,
    signal: interrupted,
    say,
  });
  try {
    const findings = await unlessInterrupted(interrupted, tryPanels(system));
    for (const finding of findings) process.stdout.write(`${finding}\n`);
    if (findings.length > 0) process.exitCode = 1;
  } finally {
    await system.stop();
  }
}

/** Puts the load on, and asks every query of what was seen meanwhile. */
async function tryPanels(system: System): Promise<string[]> {
  const { url, unscraped } = system.prometheus!;
  const from = Date.now();
  await workload(system, say);
  const lacksMongo = unscraped.includes(MONGODB.job);
  const mayBeEmpty = (expr: string): boolean => lacksMongo && MONGODB.metrics.test(expr);
  const findings = await examine(new PrometheusQueries(url), from, Date.now(), mayBeEmpty);
  for (const job of unscraped) say(`SKIPPED: nothing to scrape here for the job ${job}`);
  if (lacksMongo) say('SKIPPED: that the panels on MongoDB show something; their queries are valid');
  return findings;
}

/** What is wrong with dashboards, rules and targets. */
async function examine(
  prometheus: PrometheusQueries,
  from: number,
  to: number,
  mayBeEmpty: (expr: string) => boolean,
): Promise<string[]> {
  const queries = panelQueries(DASHBOARDS, RATE_INTERVAL);
  const findings = [
    ...(await prometheus.deadTargets(TARGET_GRACE_MS)),
    ...(await prometheus.failedRules()),
    ...(await examinePanels(prometheus, queries, from, to, mayBeEmpty)),
  ];
  say(`${queries.length} queries of panels asked, ${findings.length} findings`);
  return findings;
}

runCommand(main);

import { join, resolve } from 'node:path';
import { LocalError } from '@parley/tool-local';
import { startSystem } from '@parley/tool-load';
import { panelQueries } from './panels';
import { PrometheusQueries } from './query';
import { workload } from './workload';

const WORKSPACE = resolve(__dirname, '../../..');
const DASHBOARDS = join(WORKSPACE, 'docker/grafana/dashboards');
const INTERVAL = '1s';
/** Grafana takes four scrapes at least; more here, for a busy machine misses some. */
const RATE_INTERVAL = '30s';

const say = (line: string): void => void process.stderr.write(`  ${line}\n`);

async function main(): Promise<void> {
  const system = await startSystem({
    name: 'monitoring',
    scale: { realtime: 2, messaging: 2 },
    // Behind the load balancer, which has panels too.
    gateways: 2,
    prometheus: { interval: INTERVAL, exporters: true },
    isTemporary: true,
    say,
  });
  try {
    const { url, unscraped } = system.prometheus!;
    const from = Date.now();
    await workload(system, say);
    const findings = await examine(new PrometheusQueries(url), from, Date.now());
    for (const job of unscraped) say(`SKIPPED: nothing to scrape here for the job ${job}`);
    for (const finding of findings) process.stdout.write(`${finding}\n`);
    if (findings.length > 0) process.exitCode = 1;
  } finally {
    await system.stop();
  }
}

/** What is wrong with dashboards, rules and targets. */
async function examine(prometheus: PrometheusQueries, from: number, to: number): Promise<string[]> {
  const queries = panelQueries(DASHBOARDS, RATE_INTERVAL);
  const findings = [...(await prometheus.deadTargets()), ...(await prometheus.failedRules())];
  for (const { dashboard, panel, expr } of queries) {
    const where = `${dashboard}: ${panel}: ${expr}`;
    try {
      if ((await prometheus.seriesWithData(expr, from, to)) === 0) findings.push(`${where}: no data`);
    } catch (error) {
      findings.push(`${where}: ${(error as Error).message}`);
    }
  }
  say(`${queries.length} queries of panels asked, ${findings.length} findings`);
  return findings;
}

main()
  .then(() => process.exit())
  .catch((error: unknown) => {
    if (error instanceof LocalError) process.stderr.write(`\n  ${error.message}\n  ${error.advice}\n\n`);
    else process.stderr.write(`${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  });

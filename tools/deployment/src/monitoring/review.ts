import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { examinePanels, panelQueries, PrometheusQueries } from '@parley/tool-monitoring';
import { parse } from 'yaml';
import { APPS } from '../apps';
import { Grafana } from './grafana';
import { tryMail } from './mail';
import { tryTrace } from './trace';

const DOCKER = resolve(__dirname, '../../../../docker');
const PROMETHEUS = 'prometheus';
/** Four scrapes, as Grafana has it. */
const RATE_INTERVAL = '40s';
/** Has no series before it first counts; `npm run test:monitoring` makes each count. Servers count from the start. */
const COUNTER_OF_APP = new RegExp(`\\b(${APPS.join('|')})_\\w+_total\\b`);
const BALANCER = { job: 'load-balancer', metrics: /\bhaproxy_/ };
/** What was started again last is scraped within this. */
const TARGET_GRACE_MS = 60_000;

export interface Monitored {
  /** Of the gateway, the two servers of the monitoring that are asked directly, the catcher of mail, and Grafana. */
  urls: Record<'gateway' | 'prometheus' | 'alertmanager' | 'mail' | 'grafana', string>;
  grafana: { user: string; password: string };
  /** Whether there is HAProxy to be scraped. */
  balanced: boolean;
}

/**
 * Whether the monitoring of docker/compose.monitoring.yml saw a deployment: targets, rules, alerts and their mail, traces,
 * and every panel's query.
 * @param from when there began to be something to be seen, in ms
 * @returns what is wrong, one sentence each
 */
export async function reviewMonitoring(
  { urls, grafana: login, balanced }: Monitored,
  from: number,
): Promise<string[]> {
  const grafana = new Grafana(urls.grafana, login);
  const prometheus = new PrometheusQueries(urls.prometheus);
  const [watched, mail, trace] = await Promise.all([
    reviewPrometheus(prometheus, balanced),
    tryMail(urls.alertmanager, urls.mail),
    tryTrace(urls.gateway, grafana),
  ]);
  return [
    ...watched,
    ...mail,
    ...trace,
    ...(await grafana.missing(join(DOCKER, 'grafana'))),
    ...(await reviewPanels(grafana, balanced, from)),
  ];
}

async function reviewPrometheus(prometheus: PrometheusQueries, balanced: boolean): Promise<string[]> {
  const text = readFileSync(join(DOCKER, 'prometheus/prometheus.yml'), 'utf8');
  const { scrape_configs: jobs } = parse(text) as { scrape_configs: { job_name: string }[] };
  const expected = jobs.map(({ job_name: job }) => job).filter((job) => balanced || job !== BALANCER.job);
  const told = await prometheus.alertmanagers();
  return [
    ...(await prometheus.missingJobs(expected)).map((job) => `${job}: nothing of it is scraped`),
    ...(await prometheus.deadTargets(TARGET_GRACE_MS)),
    ...(await prometheus.failedRules()),
    ...(told.length > 0 ? [] : ['Prometheus knows no Alertmanager']),
  ];
}

/** Asks what every panel asks, through Grafana. */
function reviewPanels(grafana: Grafana, balanced: boolean, from: number): Promise<string[]> {
  const through = new PrometheusQueries(grafana.through(PROMETHEUS), grafana.headers);
  const queries = panelQueries(join(DOCKER, 'grafana/dashboards'), RATE_INTERVAL);
  const mayBeEmpty = (expr: string): boolean =>
    COUNTER_OF_APP.test(expr) || (!balanced && BALANCER.metrics.test(expr));
  return examinePanels(through, queries, from, Date.now(), mayBeEmpty);
}

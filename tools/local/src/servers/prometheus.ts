import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { OwnedProcess } from '../process/owned-process';
import { answersOk } from '../system/http';
import { requireProgram } from './install';

export interface PrometheusPlan {
  /** The run directory; data goes to `<dir>/prometheus`. */
  dir: string;
  workspace: string;
  port: number;
  /** By job of docker/prometheus/prometheus.yml, `host:port` of each target. */
  targets: Record<string, string[]>;
  /** Instead of the file's own, e.g. `1s`. */
  interval?: string;
  onProgress: (line: string) => void;
}

export interface Prometheus {
  /** Base URL of its interface and API. */
  readonly url: string;
  /** Jobs of the file that have no target here. */
  readonly unscraped: string[];
  stop(): Promise<void>;
}

interface Config {
  global: Record<string, unknown>;
  rule_files: string[];
  alerting?: unknown;
  scrape_configs: { job_name: string; static_configs?: object[]; dns_sd_configs?: object[] }[];
}

const START_TIMEOUT_MS = 30_000;

/**
 * Starts a Prometheus on 127.0.0.1 with the configuration and the rules that Docker runs, the addresses excepted.
 * @throws LocalError when the program is missing and cannot be installed, or does not come up.
 */
export async function startPrometheus(plan: PrometheusPlan): Promise<Prometheus> {
  const command = await requireProgram('prometheus', plan.onProgress);
  const home = join(plan.dir, 'prometheus');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const { config, unscraped } = configuration(plan);
  const file = join(home, 'prometheus.yml');
  writeFileSync(file, stringify(config));
  const url = `http://127.0.0.1:${plan.port}`;
  const owned = new OwnedProcess({
    name: 'prometheus',
    dir: plan.dir,
    command,
    args: [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      '--storage.tsdb.retention.time=7d',
      `--web.listen-address=127.0.0.1:${plan.port}`,
    ],
    cwd: home,
    logFile: join(plan.dir, 'logs', 'prometheus.log'),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 15_000,
  });
  owned.start();
  await owned.waitUntil(() => answersOk(`${url}/-/ready`), START_TIMEOUT_MS);
  return {
    url,
    unscraped,
    stop: () => owned.stop(),
  };
}

function configuration({ workspace, port, targets, interval }: PrometheusPlan): {
  config: Config;
  unscraped: string[];
} {
  const folder = join(workspace, 'docker/prometheus');
  const config = parse(readFileSync(join(folder, 'prometheus.yml'), 'utf8')) as Config;
  const known: Record<string, string[]> = { ...targets, prometheus: [`127.0.0.1:${port}`] };
  const isKnown = ({ job_name }: { job_name: string }): boolean => (known[job_name] ?? []).length > 0;
  const unscraped = config.scrape_configs.filter((job) => !isKnown(job)).map(({ job_name }) => job_name);
  delete config.alerting;
  // Of the environment, which the system's package does not look at.
  delete config.global.external_labels;
  config.rule_files = [join(folder, 'rules/*.yml')];
  if (interval)
    config.global = { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval };
  config.scrape_configs = config.scrape_configs.filter(isKnown).map(({ job_name, ...job }) => {
    delete job.dns_sd_configs;
    return { ...job, job_name, static_configs: [{ targets: known[job_name] }] };
  });
  return { config, unscraped };
}

import { join } from 'node:path';
import { OwnedProcess } from '../process/owned-process';
import { answersOk } from '../system/http';
import { freePort } from '../system/ports';
import { requireProgram } from './install';

export interface ExportersPlan {
  /** The run directory. */
  dir: string;
  databaseUrl: string;
  redisUrl: string;
  onProgress: (line: string) => void;
}

/** What tells Prometheus of the servers and of the machine. */
export interface Exporters {
  /** By job of docker/prometheus/prometheus.yml, `host:port`. */
  readonly targets: Record<'postgres' | 'redis' | 'host', string[]>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
/** A scrape asks the server. */
const SCRAPE_TIMEOUT_MS = 5_000;

/**
 * Starts the exporters that Docker runs, from the system's packages.
 * @throws LocalError when one is missing and cannot be installed, or does not come up.
 */
export async function startExporters(plan: ExportersPlan): Promise<Exporters> {
  const { dir, databaseUrl, redisUrl } = plan;
  const redis = new URL(redisUrl);
  const started: OwnedProcess[] = [];
  const start = async (
    name: string,
    env: Record<string, string>,
    args: (address: string) => string[],
  ): Promise<string[]> => {
    const address = `127.0.0.1:${await freePort()}`;
    const owned = new OwnedProcess({
      name,
      dir,
      command: await requireProgram(`prometheus-${name}`, plan.onProgress),
      args: args(address),
      env,
      logFile: join(dir, 'logs', `${name}.log`),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 10_000,
    });
    owned.start();
    started.push(owned);
    await owned.waitUntil(() => answersOk(`http://${address}/metrics`, SCRAPE_TIMEOUT_MS), START_TIMEOUT_MS);
    return [address];
  };
  const stop = async (): Promise<void> => void (await Promise.all(started.map((one) => one.stop())));
  try {
    const targets = {
      postgres: await start(
        'postgres-exporter',
        { DATA_SOURCE_NAME: `${databaseUrl}?sslmode=disable` },
        (address) => [`--web.listen-address=${address}`],
      ),
      redis: await start(
        'redis-exporter',
        { REDIS_ADDR: `redis://${redis.host}`, REDIS_PASSWORD: decodeURIComponent(redis.password) },
        (address) => [`--web.listen-address=${address}`],
      ),
      host: await start('node-exporter', {}, (address) => [`--web.listen-address=${address}`]),
    };
    return { targets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { LocalError } from '@parley/tool-local';
import { APPS, inspectApps } from '../apps';
import { type CommandOptions, run } from '../command';
import type { Act, Deployment } from '../deployment';
import { reviewMonitoring } from '../monitoring/review';
import { operatorsFunctions } from '../operations';
import { composeActs } from './acts';

const FILES = ['docker/compose.yml', 'docker/compose.scaled.yml'];
const TLS_FILES = ['docker/compose.tls.yml', 'docker/compose.scaled.tls.yml'];
const BALANCED_FILE = 'docker/compose.balanced.yml';
const BALANCED_TLS_FILE = 'docker/compose.balanced.tls.yml';
/** A port of the host's choice for each, so that a deployment that runs here already is left alone. */
const ANY_PORT = [
  'GATEWAY_PORT',
  'GATEWAY_TLS_PORT',
  'POSTGRES_PORT',
  'MONGODB_PORT',
  'REDIS_PORT',
  'AMQP_PORT',
  'PROMETHEUS_PORT',
  'ALERTMANAGER_PORT',
  'MAIL_PORT',
  'GRAFANA_PORT',
];
/** Whatever the docker/.env of a deployment on this machine says. */
const IMAGES = {
  VERSION: process.env['VERSION'] ?? 'local',
  REGISTRY: process.env['REGISTRY'] ?? 'parley',
};
/** As docker/secrets.mjs makes it. */
const GRAFANA_PASSWORD = resolve(__dirname, '../../../../docker/secrets/grafana.password');
const START_WITHIN_S = 900;
const SHOWN_LINES = 40;

export interface Container {
  id: string;
  name: string;
  service: string;
}

export interface ComposeOptions {
  project: string;
  /** Further files, on top of those for several instances. */
  files: string[];
  /** Whether images are built first; else those that are here are taken. */
  builds: boolean;
  /** Whether every connection but those behind the gateway is encrypted. */
  tls: boolean;
  /** Whether there are two gateways behind HAProxy. */
  balanced: boolean;
  /** Whether the monitoring is started, too. */
  monitoring: boolean;
  signal: AbortSignal;
}

/** The Compose files of docker/, several instances of each app, under a project of its own. */
export class Compose implements Deployment {
  /** Not of what ends everything. */
  private signal: AbortSignal | undefined;
  /** Of the gateway. */
  private url = '';
  private startedAt = 0;

  constructor(private readonly options: ComposeOptions) {
    this.signal = options.signal;
  }

  async start(): Promise<string> {
    const { tls } = this.options;
    await run('node', ['docker/secrets.mjs'], { signal: this.signal });
    await this.compose(
      'up',
      this.options.builds ? '--build' : '--no-build',
      '--detach',
      '--wait',
      `--wait-timeout=${START_WITHIN_S}`,
      ...this.wanted(),
    );
    const address = await this.compose('port', this.door(), tls ? '8443' : '8000');
    this.url = `${tls ? 'https' : 'http'}://${address}`;
    this.startedAt = Date.now();
    return this.url;
  }

  inspect(): Promise<string[]> {
    return inspectApps(
      async (of) => (await this.containers({ of }))[0]?.id,
      (id, command) => this.docker('exec', id, 'sh', '-c', command),
    );
  }

  acts(): Promise<Act[]> {
    return composeActs(this, this.options.balanced ? [...APPS, 'kong'] : APPS, this.wanted());
  }

  async review(): Promise<string[]> {
    if (!this.options.monitoring) return [];
    const at = async (service: string, port: string): Promise<string> =>
      `http://${await this.compose('port', service, port)}`;
    return reviewMonitoring(
      {
        urls: {
          gateway: this.url,
          prometheus: await at('prometheus', '9090'),
          alertmanager: await at('alertmanager', '9093'),
          mail: await at('mailpit', '8025'),
          grafana: await at('grafana', '3000'),
        },
        grafana: { user: 'parley', password: readFileSync(GRAFANA_PASSWORD, 'utf8').trim() },
        balanced: this.options.balanced,
      },
      this.startedAt,
    );
  }

  logs(): Promise<string> {
    return this.compose('logs', '--no-color', `--tail=${SHOWN_LINES}`);
  }

  async stop(): Promise<string[]> {
    this.signal = undefined;
    await this.compose('stop');
    const ours = new Set<string>(APPS);
    const findings: string[] = [];
    for (const { id, name, service } of await this.containers({ all: true })) {
      const code = await this.docker('inspect', '--format={{.State.ExitCode}}', id);
      // What others make ends as they like; ours drains and ends by itself.
      if (ours.has(service) && code !== '0') findings.push(`${name} ended with ${code}`);
    }
    await this.compose('down', '--volumes', '--remove-orphans');
    return findings;
  }

  /** What runs, or with `all` what has ended as well. */
  async containers({ all = false, of }: { all?: boolean; of?: string } = {}): Promise<Container[]> {
    const args = ['ps', '--no-trunc', '--format={{.ID}} {{.Name}} {{.Service}}'];
    const lines = await this.compose(...args, ...(all ? ['--all'] : []), ...(of ? [of] : []));
    return lines
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [id, name, service] = line.split(' ') as [string, string, string];
        return { id, name, service };
      });
  }

  docker(...args: string[]): Promise<string> {
    return run('docker', args, { signal: this.signal });
  }

  compose(...args: string[]): Promise<string> {
    return run('docker', [...this.given(), ...args], this.surroundings());
  }

  /** Runs commands of bash with the functions of docs/operations.md, `parley` for what is deployed here. */
  async operate(commands: string): Promise<void> {
    const given = this.given().map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
    const parley = `parley() { docker ${given.join(' ')} "$@"; }`;
    await run('bash', ['-c', `${operatorsFunctions()}\n${parley}\n${commands}`], this.surroundings());
  }

  private door(): string {
    return this.options.balanced ? 'load-balancer' : 'kong';
  }

  /** Which services are brought up, with what they depend on; all when empty. What the door does not depend on is the monitoring. */
  private wanted(): string[] {
    return this.options.monitoring ? [] : [this.door()];
  }

  private given(): string[] {
    const { project, files, tls, balanced } = this.options;
    const chosen = [
      ...FILES,
      ...(tls ? TLS_FILES : []),
      ...(balanced ? [BALANCED_FILE] : []),
      ...(tls && balanced ? [BALANCED_TLS_FILE] : []),
      ...files,
    ];
    return ['compose', '--project-name', project, ...chosen.flatMap((file) => ['--file', file])];
  }

  private surroundings(): CommandOptions {
    const ports = Object.fromEntries(ANY_PORT.map((name) => [name, process.env[name] ?? '0']));
    return { env: { ...ports, ...IMAGES }, signal: this.signal };
  }
}

/** @throws LocalError with advice where there is no engine, or one whose Compose is too old */
export async function requireEngine(signal: AbortSignal): Promise<void> {
  await run('docker', ['version', '--format={{.Server.Version}}'], { signal });
  const version = await run('docker', ['compose', 'version', '--short'], { signal });
  if (version.localeCompare('2.24', 'en', { numeric: true }) < 0)
    throw new LocalError(`Docker Compose is ${version}.`, 'These files need 2.24 or newer.');
}

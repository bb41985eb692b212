import { LocalError } from '@parley/tool-local';
import { APPS, inspectApps, READY_WITHIN_MS, SERVERS } from '../apps';
import { run } from '../command';
import type { Act, Deployment } from '../deployment';
import { operatorsFunctions } from '../operations';
import { INSTANCES, kubernetesActs } from './acts';
import { closedArrows } from './arrows';

const NAMESPACE = 'parley';
const LOCAL = 'k8s/overlays/local';
const START_WITHIN_S = 900;
const SHOWN_LINES = 20;

export interface KubernetesOptions {
  overlay: string;
  /** The current one unless given. */
  context: string | undefined;
  /** Of the gateway; found by its node port unless given. */
  url: string | undefined;
  signal: AbortSignal;
}

/** An overlay of k8s/, two instances of each app, in a cluster that is there. */
export class Kubernetes implements Deployment {
  /** Not of what ends everything. */
  private signal: AbortSignal | undefined;
  private isOurs = false;

  constructor(private readonly options: KubernetesOptions) {
    this.signal = options.signal;
  }

  async start(): Promise<string> {
    const { overlay, url, signal } = this.options;
    if (await this.cluster('get', 'namespace', NAMESPACE, '--ignore-not-found', '--output=name'))
      throw new LocalError(
        `There is a namespace ${NAMESPACE} in this cluster.`,
        'Delete it, or name another context.',
      );
    if (overlay === LOCAL) await run('node', ['docker/secrets.mjs', `${LOCAL}/secrets`], { signal });
    this.isOurs = true;
    await this.cluster('apply', '--kustomize', overlay);
    await this.inNamespace(
      'wait',
      '--for=condition=complete',
      'job',
      '--all',
      `--timeout=${START_WITHIN_S}s`,
    );
    await this.scale(APPS, INSTANCES);
    await this.settled();
    return url ?? this.nodePort();
  }

  async inspect(): Promise<string[]> {
    const findings = await inspectApps(
      async (app) => (await this.pods(app))[0],
      (pod, command) => this.inNamespace('exec', pod, '--', 'sh', '-c', command),
    );
    return [...findings, ...(await closedArrows(this))];
  }

  async acts(): Promise<Act[]> {
    const brought = (await this.inNamespace('get', 'statefulset', '--output=name')).split(/\s+/);
    return kubernetesActs(
      this,
      SERVERS.filter((name) => brought.some((line) => line.endsWith(`/${name}`))),
      this.options.overlay,
    );
  }

  /** No monitoring is part of its overlays. */
  async review(): Promise<string[]> {
    return [];
  }

  async logs(): Promise<string> {
    if (!this.isOurs) return '';
    return this.inNamespace(
      'logs',
      '--selector=app.kubernetes.io/name',
      '--prefix',
      '--max-log-requests=50',
      `--tail=${SHOWN_LINES}`,
    );
  }

  async stop(): Promise<string[]> {
    this.signal = undefined;
    if (this.isOurs) await this.cluster('delete', 'namespace', NAMESPACE, '--wait');
    return [];
  }

  /** Names of an app's, or a server's, pods that are not ending. */
  async pods(name: string): Promise<string[]> {
    const json = await this.inNamespace(
      'get',
      'pods',
      `--selector=app.kubernetes.io/name=${name}`,
      '--output=json',
    );
    const { items } = JSON.parse(json) as {
      items: { metadata: { name: string; deletionTimestamp?: string } }[];
    };
    return items.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name);
  }

  /** Resolves when everything that is wanted is there and ready. */
  async settled(): Promise<void> {
    for (const kind of ['statefulset', 'deployment'])
      await this.inNamespace('rollout', 'status', kind, `--timeout=${READY_WITHIN_MS / 1000}s`);
  }

  async scale(apps: readonly string[], replicas: number): Promise<void> {
    // An autoscaler would undo it below its minimum.
    if (replicas > 0)
      for (const app of apps)
        await this.inNamespace(
          'patch',
          'hpa',
          app,
          '--type=merge',
          `--patch={"spec":{"minReplicas":${replicas}}}`,
        );
    await this.inNamespace('scale', `--replicas=${replicas}`, ...apps.map((app) => `deployment/${app}`));
  }

  /** kubectl in the namespace. */
  inNamespace(...args: string[]): Promise<string> {
    return this.cluster('--namespace', NAMESPACE, ...args);
  }

  /** Runs commands of bash with the functions of docs/operations.md, in this cluster. */
  async operate(commands: string): Promise<void> {
    const { context } = this.options;
    const kubectl = context ? `kubectl() { command kubectl --context '${context}' "$@"; }` : '';
    const script = ['set -e', operatorsFunctions(), kubectl, commands].join('\n');
    await run('bash', ['-c', script], { signal: this.signal });
  }

  private cluster(...args: string[]): Promise<string> {
    const { context } = this.options;
    return run('kubectl', [...(context ? ['--context', context] : []), ...args], { signal: this.signal });
  }

  private async nodePort(): Promise<string> {
    const port = await this.inNamespace(
      'get',
      'service',
      'kong',
      '--output=jsonpath={.spec.ports[0].nodePort}',
    );
    const address = await this.cluster(
      'get',
      'nodes',
      '--output=jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
    );
    return `http://${address}:${port}`;
  }
}

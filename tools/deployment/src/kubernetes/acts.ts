import { setTimeout as delay } from 'node:timers/promises';
import { APPS, AWAY_MS, CONSUMERS, READY_WITHIN_MS } from '../apps';
import type { Act } from '../deployment';
import { upgradeInKubernetes } from '../operations';
import type { Kubernetes } from './kubernetes';

/** Of each app, so that one may go while nobody notices. */
export const INSTANCES = 2;

/** @param servers those that the overlay brings */
export function kubernetesActs(cluster: Kubernetes, servers: readonly string[], overlay: string): Act[] {
  return [
    ...APPS.map((app) => ({
      name: `replace ${app}`,
      isOrderly: true,
      run: async () => {
        await cluster.inNamespace('rollout', 'restart', `deployment/${app}`);
        await cluster.settled();
      },
    })),
    ...[...APPS, ...servers].map((name) => ({
      name: `kill ${name}`,
      isOrderly: false,
      run: async () => {
        const [victim] = await cluster.pods(name);
        await cluster.inNamespace('delete', 'pod', victim!, '--grace-period=0', '--force');
        await ready(cluster, name);
      },
    })),
    ...CONSUMERS.map((app) => ({
      name: `stop all ${app}`,
      isOrderly: true,
      run: async () => {
        await cluster.scale([app], 0);
        await cluster.inNamespace('wait', '--for=delete', 'pod', selector(app), timeout);
        await delay(AWAY_MS);
        await cluster.scale([app], INSTANCES);
        await cluster.settled();
      },
    })),
    { name: 'upgrade', isOrderly: true, run: () => upgrade(cluster, overlay) },
  ];
}

/** As docs/operations.md has it. Since the images are the same, nothing is replaced by it: all apps are at once, as by others. */
async function upgrade(cluster: Kubernetes, overlay: string): Promise<void> {
  await cluster.operate(upgradeInKubernetes(overlay));
  // What is applied has the overlay's own numbers.
  await cluster.scale(APPS, INSTANCES);
  const deployments = APPS.map((app) => `deployment/${app}`).join(' ');
  await cluster.operate(`kparley rollout restart ${deployments}
    kparley rollout status deployment --timeout=15m`);
}

const selector = (name: string): string => `--selector=app.kubernetes.io/name=${name}`;
const timeout = `--timeout=${READY_WITHIN_MS / 1000}s`;

/** The former pod is gone from the list at once, and its successor is not always there yet. */
async function ready(cluster: Kubernetes, name: string): Promise<void> {
  await cluster.settled();
  await cluster.inNamespace('wait', '--for=condition=ready', 'pod', selector(name), timeout);
}

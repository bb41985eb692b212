import { setTimeout as delay } from 'node:timers/promises';
import { APPS, AWAY_MS, CONSUMERS, READY_WITHIN_MS, SERVERS } from '../apps';
import { awaited } from '../command';
import type { Act } from '../deployment';
import type { Compose, Container } from './compose';

/**
 * @param several services of which there is more than one instance
 * @param wanted services that `up` is given
 */
export async function composeActs(
  compose: Compose,
  several: readonly string[],
  wanted: readonly string[],
): Promise<Act[]> {
  const running = new Set((await compose.containers()).map(({ service }) => service));
  const servers = SERVERS.filter((name) => running.has(name));
  return [
    ...several.map((service) => ({
      name: `replace ${service}`,
      isOrderly: true,
      run: () => compose.operate(`restart_each ${service}`),
    })),
    ...[...several, ...servers].map((service) => ({
      name: `kill ${service}`,
      isOrderly: false,
      run: async () => {
        const [victim] = await compose.containers({ of: service });
        await killAndStart(compose, victim!);
      },
    })),
    ...CONSUMERS.map((service) => ({
      name: `stop all ${service}`,
      isOrderly: true,
      run: async () => {
        const all = await compose.containers({ of: service });
        await compose.compose('stop', service);
        await delay(AWAY_MS);
        await compose.compose('start', service);
        for (const { id } of all) await healthy(compose, id);
      },
    })),
    { name: 'upgrade', isOrderly: true, run: () => upgrade(compose, wanted) },
  ];
}

/** As docs/operations.md has it, by containers alone that are the same as before: `up` at its end must find nothing to do. */
async function upgrade(compose: Compose, wanted: readonly string[]): Promise<void> {
  const ids = async (): Promise<string[]> => (await compose.containers()).map(({ id }) => id);
  const former = await ids();
  await compose.operate(`replace ${APPS.join(' ')}`);
  const replaced = await ids();
  if (replaced.length !== former.length)
    throw new Error(`After \`replace\` there are ${replaced.length} containers, not ${former.length}.`);
  await compose.operate(`parley up --no-build --detach --wait ${wanted.join(' ')}`);
  const left = new Set(await ids());
  const gone = replaced.filter((id) => !left.has(id));
  if (gone.length > 0)
    throw new Error(`\`up\` made ${gone.length} containers anew that \`replace\` had made.`);
}

/** Killed by hand it stays away, whatever its restart policy. */
async function killAndStart(compose: Compose, { id }: Container): Promise<void> {
  await compose.docker('kill', '--signal=KILL', id);
  await compose.docker('start', id);
  await healthy(compose, id);
}

async function healthy(compose: Compose, id: string): Promise<void> {
  const isHealthy = async (): Promise<boolean> =>
    (await compose.docker('inspect', '--format={{.State.Health.Status}}', id)) === 'healthy';
  await awaited(`${id} is healthy`, isHealthy, READY_WITHIN_MS);
}

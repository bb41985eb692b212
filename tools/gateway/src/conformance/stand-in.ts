import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { startGateway } from '../gateway';
import { contractConfig, pointsConfig } from './config';
import { makeKey } from './keys';
import { startWorld, type SuiteState, type World } from './world';

const echoNames = {
  points: ['main'],
  contract: ['auth', 'messaging', 'history', 'presence', 'notification', 'realtime'],
};

/** Ports and keys for one run. The ports are free now; nothing holds them. */
export async function makeState(
  part: SuiteState['part'],
  redisUrl: string,
  upstreamHost = '127.0.0.1',
): Promise<SuiteState> {
  const ports = await freePorts(echoNames[part].length + 1);
  return {
    part,
    keys: [makeKey('suite-a'), makeKey('suite-b')],
    echoPorts: Object.fromEntries(echoNames[part].map((name, index) => [name, ports[index]!])),
    deadPort: ports.at(-1)!,
    upstreamHost,
    redisUrl,
  };
}

export function configOf(state: SuiteState, kids?: string[]): string {
  return state.part === 'points' ? pointsConfig(state, kids) : contractConfig(state);
}

/** Starts the stand-in with a part's configuration in `dir`, and the world around it. */
export async function startStandIn(part: SuiteState['part'], redisUrl: string, dir: string): Promise<World> {
  const state = await makeState(part, redisUrl);
  const configFile = join(dir, `${part}.yml`);
  await writeFile(configFile, configOf(state));
  const common = { configFile, port: 0, logger: pino({ level: 'silent' }) };
  const gateway = await startGateway(common);
  const trusting = await startGateway({ ...common, trustedIps: ['127.0.0.0/8'] });
  const reload = async (kids: string[]) => {
    await writeFile(configFile, configOf(state, kids));
    await gateway.reload();
  };
  const world = await startWorld(gateway.url, state, '127.0.0.1', { reload, trustingUrl: trusting.url });
  return {
    ...world,
    close: async () => {
      await Promise.all([gateway.stop(1000), trusting.stop(1000)]);
      await world.close();
    },
  };
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

import { randomBytes } from 'node:crypto';
import { freePort, redisServer, requireBinaries, type Server } from '@parley/tool-local';
import { freshName } from './names';
import { testServers } from './servers';

/**
 * A whole Redis server for one suite, started: its own publish/subscribe, and it may be stopped, killed and frozen.
 * The suite stops it in `afterAll`.
 */
export async function privateRedis(): Promise<Server> {
  const { dir } = await testServers();
  const programs = await requireBinaries(() => undefined);
  const password = randomBytes(12).toString('hex');
  const server = redisServer(
    { dir, name: freshName(), port: await freePort(), password, programs },
    { durable: false },
  );
  await server.start();
  return server;
}

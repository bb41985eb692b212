import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { freePort, hold, letGo, redisServer, requireBinaries } from '@parley/tool-local';
import { send } from './client';
import { makeToken } from './keys';
import { runProductChecks } from './product-checks';
import { runPart } from './report';
import { configOf, makeState, startStandIn } from './stand-in';
import { bearer, startWorld, type Reload, type SuiteState } from './world';

const usage = `usage: npm run test:gateway                          both parts, on the local stand-in
       npm run test:gateway -- --render FILE         write a configuration for another gateway to load
           [--part points|contract] [--upstream-host H] [--redis URL] [--state FILE]
       npm run test:gateway -- --url URL             ask the gateway there
           [--state FILE] [--listen H] [--config FILE --reload-command CMD] [--trusting-url URL]
  --part            points: the behaviours of Kong (default); contract: docker/kong/kong.yml itself
  --upstream-host   this machine as the gateway sees it; default 127.0.0.1
  --redis           Redis as the gateway sees it; default redis://127.0.0.1:6379
  --state           keys and ports of the rendered configuration; default .local/gateway-suite.json
  --listen          where the echo services listen; default 127.0.0.1
  --trusting-url    the same with KONG_TRUSTED_IPS that hold this machine
  --reload-command  makes the gateway read --config again, after this suite has written it
A gateway that runs no configuration of this suite is taken for a whole running product, and asked what suits that.`;

const stateDefault = resolve(__dirname, '../../../../.local/gateway-suite.json');

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      render: { type: 'string' },
      url: { type: 'string' },
      part: { type: 'string', default: 'points' },
      'upstream-host': { type: 'string', default: '127.0.0.1' },
      redis: { type: 'string' },
      state: { type: 'string' },
      listen: { type: 'string', default: '127.0.0.1' },
      config: { type: 'string' },
      'reload-command': { type: 'string' },
      'trusting-url': { type: 'string' },
    },
  });
  const stateFile = values.state ?? stateDefault;
  const { part } = values;
  if (part !== 'points' && part !== 'contract') throw new Error(`--part ${part}: points or contract`);

  if (values.render) {
    const redis = values.redis ?? 'redis://127.0.0.1:6379';
    const state = await makeState(part, redis, values['upstream-host']);
    await mkdir(dirname(stateFile), { recursive: true });
    await writeFile(stateFile, JSON.stringify(state), { mode: 0o600 });
    await writeFile(values.render, configOf(state));
    console.log(`${values.render} is for the gateway to load; then: npm run test:gateway -- --url http://…`);
    return 0;
  }
  if (!values.url) return runOnStandIn(values.redis);

  const url = values.url.replace(/\/$/, '');
  await send(url, '/').catch((error: Error) => {
    throw new Error(`nothing answers at ${url}: ${error.message}`);
  });
  const state = await readState(stateFile, values.state !== undefined);
  if (!state || !(await runsSuite(url, state))) return runProductChecks(url, console.log);
  console.log(`${state.part}, at ${url}, with the keys and ports of ${stateFile}`);
  const { config, 'reload-command': command } = values;
  const world = await startWorld(url, state, values.listen, {
    reload: config && command ? reloader(state, config, command) : undefined,
    trustingUrl: values['trusting-url']?.replace(/\/$/, ''),
  });
  try {
    return await runPart(state.part, world, console.log);
  } finally {
    await world.close();
  }
}

async function runOnStandIn(redisUrl: string | undefined): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), 'gateway-suite-'));
  const holder = {};
  hold(dir, holder, { removes: true });
  const redis = redisUrl ? undefined : await ownRedis(dir);
  let failed = 0;
  try {
    for (const part of ['points', 'contract'] as const) {
      console.log(`${part}, on the local stand-in`);
      const world = await startStandIn(part, redisUrl ?? redis!.url, dir);
      failed += await runPart(part, world, console.log).finally(() => world.close());
    }
  } finally {
    await redis?.stop();
    await rm(dir, { recursive: true });
    letGo(holder);
  }
  return failed;
}

async function ownRedis(dir: string) {
  const programs = await requireBinaries(console.log);
  const server = redisServer(
    { dir, name: 'redis', port: await freePort(), password: 'suite', programs },
    { durable: false },
  );
  await server.start();
  return server;
}

/** Writes the changed configuration where the gateway reads it, and runs the command that makes it read. */
function reloader(state: SuiteState, file: string, command: string): Reload {
  return async (kids) => {
    await writeFile(file, configOf(state, kids));
    await promisify(execFile)('sh', ['-c', command]);
  };
}

/** Whether the gateway accepts the suite's keys on a path of the suite's configuration. */
async function runsSuite(url: string, state: SuiteState): Promise<boolean> {
  const path = state.part === 'points' ? '/private' : '/v1/users/me';
  const reply = await send(url, path, { headers: bearer(makeToken(state.keys[0]!, 'suite')) });
  return reply.status !== 401 && reply.status !== 404;
}

async function readState(file: string, mustExist: boolean): Promise<SuiteState | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as SuiteState;
  } catch (error) {
    if (!mustExist && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

main().then(
  (failed) => {
    if (failed > 0) console.error(`${failed} failed`);
    process.exit(failed > 0 ? 1 : 0);
  },
  (error: Error) => {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  },
);

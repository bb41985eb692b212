import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, runCommand, unlessInterrupted } from '@parley/tool-local';
import { Profiler, saveProfile, topSelfTimes } from './measure/profile';
import { type BenchOptions, parseOptions, USAGE } from './options';
import { report } from './report/report';
import { table } from './report/table';
import { runScenario, type ScenarioResult, type Target } from './scenario/run';
import { conditionsOf, pidsOf, startSystem, type System } from './system';
import { registerPeople } from './world/people';
import { AccessTokens } from './world/tokens';

const PROFILE_ROWS = 40;

function say(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

async function main(interrupted: AbortSignal): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const inspectPort = options.profile ? await freePort() : undefined;
  const system = await startSystem({
    name: 'bench',
    scale: options.scale,
    store: options.store,
    tls: options.tls,
    isTemporary: !options.keep,
    signal: interrupted,
    say,
    ...(options.profile
      ? { envOf: { [options.profile]: { NODE_OPTIONS: `--inspect=127.0.0.1:${inspectPort}` } } }
      : {}),
  });
  try {
    const results = await unlessInterrupted(interrupted, runAll(options, system, inspectPort));
    process.stdout.write(`\n${conditionsOf(system)}\n${report(results, options.scenarios)}\n`);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(results, null, 2)}\n`);
    if (results.some(({ violations }) => violations.length > 0)) process.exitCode = 1;
  } finally {
    say('Stopping');
    await system.stop();
  }
}

async function runAll(
  options: BenchOptions,
  system: System,
  inspectPort: number | undefined,
): Promise<ScenarioResult[]> {
  const { apps, gateway, keys } = system;
  const urlOf = (app: Parameters<typeof apps.of>[0]): string => apps.of(app)[0]?.url ?? '';
  say(`Registering ${options.users} people`);
  const people = await registerPeople(urlOf('auth'), options.users);
  const tokens = new AccessTokens(keys.privateFile);
  const results: ScenarioResult[] = [];
  for (const door of options.doors) {
    for (const scenario of options.scenarios) {
      say(`${scenario.name}, sockets at ${door}`);
      const target: Target = {
        door,
        socketUrls: door === 'gateway' ? [gateway.url] : apps.of('realtime').map(({ url }) => url),
        messagingUrl: urlOf('messaging'),
        historyUrl: urlOf('history'),
        followers: new Map(
          [...apps.of('history'), ...apps.of('notification')].map(({ name, url }) => [name, url]),
        ),
        pids: pidsOf(system),
        tokenOf: ({ userId, sessionId }) => tokens.sign(userId, sessionId),
        ...(inspectPort === undefined
          ? {}
          : {
              onWindow: await profiling(inspectPort, join(system.dir, `${scenario.name}-${door}.cpuprofile`)),
            }),
      };
      results.push(await runScenario(scenario, people, target, options));
    }
  }
  return results;
}

/** Prints the functions with the largest self time after each window, and keeps the whole profile. */
async function profiling(port: number, file: string): Promise<Target['onWindow']> {
  const profiler = await Profiler.attach(port);
  return {
    start: () => profiler.start(),
    async end() {
      const profile = await profiler.stop();
      profiler.detach();
      saveProfile(file, profile);
      const { totalUs, top } = topSelfTimes(profile, PROFILE_ROWS);
      const rows = top.map(({ where, selfUs }) => [where, ((100 * selfUs) / totalUs).toFixed(1)]);
      process.stdout.write(`\nSelf time of ${(totalUs / 1e6).toFixed(1)} s CPU, in %\n`);
      process.stdout.write(`${table(['function', '%'], rows)}\n\n`);
    },
  };
}

runCommand(main);

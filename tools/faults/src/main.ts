import { conditionsOf, instancesOf, startSystem, type System } from '@parley/tool-load';
import { findMongo, runCommand, unlessInterrupted } from '@parley/tool-local';
import { WORKSPACE, buildOf } from './fault/former-build';
import { type Plant, plantBug, plantedKind } from './fault/plant';
import { impediment, MEMBERS } from './fault/replica-set';
import { runRound, type Stage } from './fault/round';
import { Supervisor } from './fault/supervisor';
import { Load, PACE_MS } from './load/load';
import { createWorld } from './load/world';
import { type FaultOptions, parseOptions, strengthOf, USAGE } from './options';
import { isGood, type Outcome, report } from './report/report';

function say(line: string): void {
  process.stderr.write(`  ${line}\n`);
}

/** As where the gateway finds its instances: it asks each second, and leaves one before that closes its connections. */
const DRAIN_GRACE_MS = '2000';

async function main(interrupted: AbortSignal): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (!options) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const formerWorkspace =
    options.from === undefined ? undefined : await buildOf(options.from, say, interrupted);
  if (options.from !== undefined && formerWorkspace === undefined) return;
  say(`Seed ${options.seed}`);
  const { scale, paceMs } = strengthOf(options, options.store === 'mongodb' && standsInForMongo());
  const system = await startSystem({
    name: 'faults',
    scale,
    gateways: options.balanced ? 2 : 1,
    store: options.store,
    mongoMembers: MEMBERS,
    tls: options.tls,
    env: { DRAIN_GRACE_MS },
    isTemporary: !options.keep,
    signal: interrupted,
    say,
  });
  const supervisor = new Supervisor(instancesOf(system));
  try {
    const { outcomes, skipped } = await unlessInterrupted(
      interrupted,
      runAll({ ...options, paceMs }, system, supervisor, formerWorkspace),
    );
    process.stdout.write(`\n${[conditionsOf(system), report(outcomes), ...skipped].join('\n')}\n`);
    const isAllGood = outcomes.length > 0 && outcomes.every(isGood);
    process.exitCode = (options.plant ? wasFound(options.plant, outcomes) : isAllGood) ? 0 : 1;
  } finally {
    say('Stopping');
    supervisor.stop();
    await system.stop();
  }
}

/** Whether FerretDB is what this machine has in MongoDB's place. */
function standsInForMongo(): boolean {
  const how = findMongo(process.env)?.how;
  return how === 'ferretdb' || how === 'build';
}

function wasFound(plant: Plant, outcomes: Outcome[]): boolean {
  const kind = plantedKind[plant];
  const isFound = outcomes.some(({ violations }) => violations.some((one) => one.kind === kind));
  say(isFound ? `The planted bug was found: ${kind}` : `The planted bug was NOT found as ${kind}`);
  return isFound;
}

async function runAll(
  options: FaultOptions & { paceMs: number },
  system: System,
  supervisor: Supervisor,
  formerWorkspace: string | undefined,
): Promise<{ outcomes: Outcome[]; skipped: string[] }> {
  const { plant, durationMs, seed, paceMs } = options;
  say('Registering people and connecting them');
  const world = await createWorld(system);
  if (paceMs !== PACE_MS) say(`Everybody acts every ${paceMs} ms, not every ${PACE_MS}`);
  const load = new Load(world, system.gateway.url, seed, paceMs);
  const target = world.places.at(-1)?.circle.conversation.id ?? '';
  const stage: Stage = {
    system,
    world,
    load,
    durationMs,
    reported: new Set(),
    replacedAt: (at) => supervisor.replacedAt(at),
    hands: {
      without: (instance, work) => supervisor.without(instance, work),
      presentWorkspace: WORKSPACE,
      ...(formerWorkspace !== undefined && { formerWorkspace }),
    },
    ...(plant
      ? { beforeCheck: (observed) => plantBug(plant, { system, conversationId: target, ...observed }) }
      : {}),
  };
  const outcomes: Outcome[] = [];
  const skipped: string[] = [];
  for (const fault of options.faults) {
    say(fault.name);
    const why = impediment(fault, system);
    if (why !== undefined) {
      skipped.push(`SKIPPED ${fault.name}: ${why}`);
      say(`  SKIPPED: ${why}`);
      continue;
    }
    const outcome = await runRound(fault, stage).catch((error: Error) => unjudged(fault.name, error));
    say(
      `  ${isGood(outcome) ? 'good' : 'BAD'}: ${outcome.acked} messages, ${outcome.changed} changes, ${outcome.refused} refused`,
    );
    outcomes.push(outcome);
    // What a broken round leaves behind would be blamed on the next fault.
    if (outcome.trouble.length > 0) break;
  }
  for (const person of [...world.people, ...world.bystanders]) person.close();
  return { outcomes, skipped };
}

function unjudged(fault: string, error: Error): Outcome {
  const trouble = [`The round broke off: ${error.stack ?? error.message}`];
  const unknown = { firstAckMs: undefined, allAckMs: undefined, inSyncMs: undefined, movedMs: undefined };
  return { fault, acked: 0, changed: 0, refused: 0, refusedMs: 0, ...unknown, violations: [], trouble };
}

runCommand(main);

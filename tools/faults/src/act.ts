import { conditionsOf, instancesOf, startSystem, type System } from '@parley/tool-load';
import { unlessInterrupted } from '@parley/tool-local';
import type { Fault } from './fault/fault';
import { WORKSPACE } from './fault/former-build';
import { impediment } from './fault/impediment';
import { plantBug } from './fault/plant';
import { MEMBERS } from './fault/replica-set';
import { runRound, type Stage } from './fault/round';
import { Supervisor } from './fault/supervisor';
import { Load, PACE_MS } from './load/load';
import { createWorld } from './load/world';
import type { FaultOptions, Strength } from './options';
import { isGood, type Outcome } from './report/report';

/** As where the gateway finds its instances: it asks each second, and leaves one before that closes its connections. */
const DRAIN_GRACE_MS = '2000';

/** What one deployment went through. */
export interface Act {
  /** Of the system, for the head of the report. */
  conditions: string;
  outcomes: Outcome[];
  /** What could not be struck here, in words. */
  skipped: string[];
  /** How many of the faults it came to; those left need another deployment. */
  played: number;
}

export interface Direction {
  options: FaultOptions & Strength;
  /** The build of `--from`. */
  formerWorkspace?: string;
  interrupted: AbortSignal;
  say(line: string): void;
}

/** Starts a deployment and strikes it with one fault after the other, until one of them leaves it broken. */
export async function playAct(faults: Fault[], direction: Direction): Promise<Act> {
  const { options, interrupted, say } = direction;
  const system = await startSystem({
    name: 'faults',
    scale: options.scale,
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
    const rounds = await unlessInterrupted(interrupted, runAll(faults, direction, system, supervisor));
    return { conditions: conditionsOf(system), ...rounds };
  } finally {
    say('Stopping');
    supervisor.stop();
    await system.stop();
  }
}

async function runAll(
  faults: Fault[],
  { options, formerWorkspace, say }: Direction,
  system: System,
  supervisor: Supervisor,
): Promise<Omit<Act, 'conditions'>> {
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
  const skip = (what: string, why: string): void => {
    skipped.push(`SKIPPED ${what}: ${why}`);
    say(`  SKIPPED ${what}: ${why}`);
  };
  let played = 0;
  for (const fault of faults) {
    say(fault.name);
    played += 1;
    const why = impediment(fault, system.servers);
    if (why !== undefined) {
      skip(fault.name, why);
      continue;
    }
    for (const app of fault.leavesOut?.(system) ?? [])
      skip(`${fault.name} of ${app}`, 'of its instances there are fewer than two: see --scale');
    const outcome = await runRound(fault, stage).catch((error: Error) => unjudged(fault.name, error));
    say(
      `  ${isGood(outcome) ? 'good' : 'BAD'}: ${outcome.acked} messages, ${outcome.changed} changes, ${outcome.refused} refused`,
    );
    outcomes.push(outcome);
    // What a broken round leaves behind would be blamed on the next fault.
    if (outcome.trouble.length > 0) break;
  }
  for (const person of [...world.people, ...world.bystanders]) person.close();
  return { outcomes, skipped, played };
}

function unjudged(fault: string, error: Error): Outcome {
  const trouble = [`The round broke off: ${error.stack ?? error.message}`];
  const unknown = { firstAckMs: undefined, allAckMs: undefined, inSyncMs: undefined, movedMs: undefined };
  return { fault, acked: 0, changed: 0, refused: 0, refusedMs: 0, ...unknown, violations: [], trouble };
}

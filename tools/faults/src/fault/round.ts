import { setTimeout as delay } from 'node:timers/promises';
import { instancesOf, type System, until } from '@parley/tool-load';
import { check } from '../checker/check';
import { type ConversationLog, readLog } from '../checker/log';
import { sharedAmongNodes } from '../checker/nodes';
import type { LogRow, Observations, Violation } from '../checker/observations';
import { checkRefusals, delayedSince, longestRefusal } from '../checker/refusals';
import { Load } from '../load/load';
import type { Place, World } from '../load/world';
import type { Outcome } from '../report/report';
import { readFresh } from '../system/fresh.reader';
import { readWholeLog } from '../system/log.reader';
import { readShares, unevenness } from '../system/shares';
import type { Fault, Hands } from './fault';
import { PresenceWatcher } from './presence-watcher';

const RECOVERY_MS = 60_000;
const ANSWERS_MS = 60_000;
const SYNC_MS = 90_000;
/** Within so long after the load has stopped partitions and lanes are shared evenly again. */
const EVEN_MS = 15_000;

/** Everything that rounds share: the load and its record go on from one fault to the next. */
export interface Stage {
  system: System;
  world: World;
  load: Load;
  /** Load before the strike and after the recovery, in milliseconds. */
  durationMs: number;
  /** Violations that an earlier round has reported already. */
  reported: Set<string>;
  /** Called when all is quiet and in sync, before the check. */
  beforeCheck?: (observed: BeforeCheck) => Promise<void>;
  hands: Hands;
  /** Which instance a fault was replacing at a time of the monotonic clock, in words. */
  replacedAt(at: number): string | undefined;
}

/** What a planted bug may damage besides the system. */
export interface BeforeCheck {
  sockets: Observations['sockets'];
}

/** One round: load, strike, recovery without a hand, quiet, check. */
export async function runRound(fault: Fault, stage: Stage): Promise<Outcome> {
  const { load, world, durationMs } = stage;
  const trouble: string[] = [];
  const ackedBefore = load.sends.length;
  const changedBefore = load.changes.length;
  const refusedBefore = load.refused.length;
  load.start();
  await delay(durationMs);
  const struckAt = performance.now();
  const presence = fault.demands?.presence ? new PresenceWatcher(world) : undefined;
  const movedMs = (await fault.strike(stage.system, stage.hands)) ?? undefined;
  const endedAt = performance.now();
  const conversationIds = world.places.map(({ circle }) => circle.conversation.id);
  const allWrite = (): boolean => conversationIds.every((id) => firstAck(load, endedAt, id) !== undefined);
  if (!(await until(allWrite, RECOVERY_MS))) trouble.push('Not every conversation took messages again.');
  const heads = new Map(load.heads);
  const laggards = (): string[] => world.places.flatMap((place) => laggardsOf(place, heads));
  const isLevel = await until(() => laggards().length === 0, SYNC_MS);
  const inSyncMs = performance.now() - endedAt;
  if (!isLevel) trouble.push('Not every client came to what had been acknowledged.', ...laggards());
  const presenceViolations = (await presence?.judge(endedAt)) ?? [];
  await delay(durationMs);
  const unanswered = await load.pause(ANSWERS_MS);
  if (unanswered > 0) trouble.push(`${unanswered} writes were never answered.`);

  for (const instance of instancesOf(stage.system))
    if (!(await until(() => instance.isReady(), RECOVERY_MS))) trouble.push(`${instance.name} is not ready.`);
  const log = await readWholeLog(stage.system.servers);
  const logs = readLog(log);
  await until(() => whatIsBehind(world, logs) === undefined, SYNC_MS);
  const behind = whatIsBehind(world, logs);
  if (behind !== undefined) trouble.push(behind);
  const sockets = world.people.flatMap((person) => [...person.traces.values()]);
  await stage.beforeCheck?.({ sockets });
  const delayed = delayedSince(struckAt, load.delayed);
  const { refusedMsMax } = fault.demands ?? {};
  const violations = [
    ...(await judge(stage, sockets, log, logs, trouble)),
    ...(refusedMsMax === undefined
      ? []
      : checkRefusals(delayed, refusedMsMax, struckAt, (at) => stage.replacedAt(at))),
    ...(await unevenShares(stage)),
    ...presenceViolations,
  ];
  if (stage.system.apps.of('realtime').length > 1 && sharedAmongNodes({ sockets }) === 0)
    trouble.push('Nobody followed a conversation from two nodes.');
  const firsts = conversationIds.map((id) => firstAck(load, struckAt, id));
  return {
    fault: fault.name,
    acked: load.sends.length - ackedBefore,
    changed: load.changes.length - changedBefore,
    refused: load.refused.length - refusedBefore,
    firstAckMs: sinceStrike(Math.min, firsts, struckAt),
    allAckMs: sinceStrike(Math.max, firsts, struckAt),
    inSyncMs: isLevel ? inSyncMs : undefined,
    refusedMs: longestRefusal(delayed),
    movedMs,
    violations,
    trouble,
  };
}

/** When the first message of a conversation was acknowledged that was first sent after `sinceMs`. */
function firstAck(load: Load, sinceMs: number, conversationId: string): number | undefined {
  const timings = load.timings.filter(
    (one) => one.conversationId === conversationId && one.firstAttemptAt >= sinceMs,
  );
  return timings.length === 0 ? undefined : Math.min(...timings.map((one) => one.ackedAt));
}

function sinceStrike(
  choose: (...values: number[]) => number,
  moments: (number | undefined)[],
  struckAt: number,
): number | undefined {
  const known = moments.filter((moment) => moment !== undefined);
  return known.length < moments.length || known.length === 0 ? undefined : choose(...known) - struckAt;
}

/** Who of a conversation, save its guest, has not come to its version in `heads`, in words. */
function laggardsOf({ circle, people, guest }: Place, heads: Map<string, number>): string[] {
  const { id } = circle.conversation;
  const head = heads.get(id) ?? 0;
  return people.flatMap((person) => {
    const version = person.replica.versionOf(id) ?? 0;
    if (person === guest || (person.isConnected && version >= head)) return [];
    return `${person.userId} stood at ${version} of ${id}, expected ${head}${person.isConnected ? '' : ', and was not connected'}`;
  });
}

/** Which client does not yet stand where the log ends, left to itself; undefined when all do. */
function whatIsBehind(world: World, logs: Map<string, ConversationLog>): string | undefined {
  for (const person of world.people) {
    if (!person.isCalm) return `${person.userId} is not connected or still syncing`;
    for (const { conversationId, head, members } of logs.values()) {
      const version = person.replica.versionOf(conversationId);
      const expected = members.has(person.userId) ? head : undefined;
      if (version !== expected)
        return `${person.userId} stands at ${version} of ${conversationId}, expected ${expected}`;
    }
  }
  return undefined;
}

async function unevenShares({ system }: Stage): Promise<Violation[]> {
  const uneven = async () => {
    const all = await readShares(system);
    return all.flatMap((shares): Violation[] => {
      const detail = unevenness(shares);
      return detail === undefined ? [] : [{ kind: 'uneven', conversationId: shares.service, detail }];
    });
  };
  await until(async () => (await uneven()).length === 0, EVEN_MS);
  return uneven();
}

async function judge(
  { system, world, load, reported }: Stage,
  sockets: Observations['sockets'],
  log: LogRow[],
  logs: Map<string, ConversationLog>,
  trouble: string[],
): Promise<Violation[]> {
  const observations: Observations = {
    sends: load.sends,
    changes: load.changes,
    refused: load.refused,
    sockets,
    fresh: [],
    held: [],
    log,
  };
  const withMembers = new Set<string>();
  for (const { circle } of world.places) {
    const { id, type } = circle.conversation;
    if (type !== 'channel') withMembers.add(id);
    const reader = world.people.find((person) => logs.get(id)?.members.has(person.userId));
    if (!reader) continue;
    try {
      observations.fresh.push(await readFresh(system.gateway.url, id, reader.newToken()));
    } catch (error) {
      trouble.push(`Nobody can read ${id}: ${(error as Error).message}`);
    }
  }
  observations.held = world.people.flatMap((person) => person.replica.held(withMembers));
  const isNew = ({ kind, conversationId, detail }: Violation): boolean => {
    const key = `${kind} ${conversationId} ${detail}`;
    if (reported.has(key)) return false;
    reported.add(key);
    return true;
  };
  return check(observations).filter(isNew);
}

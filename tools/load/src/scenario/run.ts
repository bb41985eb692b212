import { setTimeout as delay } from 'node:timers/promises';
import { CpuMeter } from '../measure/cpu';
import type { LatencySummary } from '../measure/histogram';
import { type Lag, readLags } from '../measure/lag';
import { circlesOf, createCircle } from '../world/conversations';
import { mapBounded } from '../world/http';
import type { Person } from '../world/people';
import { checkHistory, checkSockets, type Seat } from './check';
import { paceOf } from './pace';
import type { Scenario } from './scenario';
import { Talker } from './talker';
import { nowUs, Tally } from './tally';
import { until } from '../until';

/** The system under load, as far as a run must know it. */
export interface Target {
  /** Name of the door that the sockets go through, for the report. */
  door: string;
  /** Base addresses of that door; people are spread over them in turn. */
  socketUrls: string[];
  messagingUrl: string;
  historyUrl: string;
  /** Base addresses of the services that keep a view of the log, by instance. */
  followers: ReadonlyMap<string, string>;
  /** Process ids by name, for the CPU figures. */
  pids: ReadonlyMap<string, number[]>;
  tokenOf: (person: Person) => string;
  /** Called around the measured window, e.g. to profile a process. */
  onWindow?: { start(): Promise<void>; end(): Promise<void> };
}

export interface RunTimes {
  warmUpMs: number;
  durationMs: number;
}

export interface ScenarioResult {
  scenario: string;
  door: string;
  users: number;
  seconds: number;
  ackedPerSecond: number;
  deliveriesPerSecond: number;
  ack: LatencySummary;
  delivery: LatencySummary;
  /** CPU microseconds by process, over the window. */
  cpuUs: Record<string, number>;
  /** Shares of all cores, from 0 to 1: taken by programs that are no part of this, and by nobody. */
  cpuElsewhere: number;
  cpuIdle: number;
  ackedInWindow: number;
  deliveredInWindow: number;
  acked: number;
  delivered: number;
  refusals: Record<string, number>;
  /** Rows that each follower knew to be behind when the window closed. */
  lagAtEnd: Lag[];
  /** From the last answer until the view showed every conversation whole and no follower was behind; -1 for never. */
  caughtUpMs: number;
  /** What was not as it must be; empty in a good run. */
  violations: string[];
}

const DRAIN_MS = 15_000;
const CATCH_UP_MS = 60_000;
const JOIN_PARALLEL = 16;
const CREATE_PARALLEL = 8;

/** Runs one scenario: new conversations, sockets, warm-up, the measured window, and the checks after it. */
export async function runScenario(
  scenario: Scenario,
  people: Person[],
  target: Target,
  { warmUpMs, durationMs }: RunTimes,
): Promise<ScenarioResult> {
  const tally = new Tally();
  const pace = paceOf<Talker>(scenario.pace);
  const seats = await takeSeats(scenario, people, target, tally, (talker) => pace.onAcked(talker));
  const talkers = seats.map((seat) => seat.talker);

  pace.start(talkers);
  await delay(warmUpMs);
  await target.onWindow?.start();
  const meter = new CpuMeter(target.pids);
  const startUs = nowUs();
  tally.openWindow(startUs);
  await delay(durationMs);
  const endUs = nowUs();
  tally.closeWindow(endUs);
  const cpu = meter.used();
  pace.stop();
  await target.onWindow?.end();

  const lagAtEnd = await readLags(target.followers);
  await until(() => talkers.every((talker) => talker.inFlight === 0), DRAIN_MS);
  const drainedAt = performance.now();
  const wrongHistory = await checkHistory(seats, target);
  const hasCaughtUp = await until(() => isLevel(target), CATCH_UP_MS);
  const caughtUpMs = hasCaughtUp ? performance.now() - drainedAt : -1;
  await until(() => checkSockets(seats).length === 0, DRAIN_MS);
  const violations = [
    ...checkSockets(seats),
    ...tally.lostSockets.map((reason) => `A socket was lost: ${reason}`),
    ...wrongHistory,
    ...(!hasCaughtUp ? [`A follower had not caught up after ${CATCH_UP_MS / 1000} s.`] : []),
  ];
  for (const talker of talkers) talker.leave();

  const seconds = (endUs - startUs) / 1e6;
  return {
    scenario: scenario.name,
    door: target.door,
    users: talkers.length,
    seconds,
    ackedPerSecond: tally.ackedInWindow / seconds,
    deliveriesPerSecond: tally.deliveredInWindow / seconds,
    ack: tally.ackLatency.summary(),
    delivery: tally.deliveryLatency.summary(),
    cpuUs: Object.fromEntries(cpu.byName),
    cpuElsewhere: cpu.elsewhere,
    cpuIdle: cpu.idle,
    ackedInWindow: tally.ackedInWindow,
    deliveredInWindow: tally.deliveredInWindow,
    acked: tally.acked,
    delivered: tally.delivered,
    refusals: Object.fromEntries(tally.refusals),
    lagAtEnd,
    caughtUpMs,
    violations,
  };
}

/** New conversations for all people, and a socket for each of them. */
async function takeSeats(
  scenario: Scenario,
  people: Person[],
  target: Target,
  tally: Tally,
  onAcked: (talker: Talker) => void,
): Promise<Seat[]> {
  const circles = await mapBounded(circlesOf(people, scenario.size), CREATE_PARALLEL, (members) =>
    createCircle(target.messagingUrl, scenario.type, members, target.tokenOf),
  );
  const places = circles.flatMap((circle) => circle.members.map((person) => ({ circle, person })));
  return mapBounded(places, JOIN_PARALLEL, async ({ circle, person }, index) => {
    const { id: conversationId, version } = circle.conversation;
    const accessToken = target.tokenOf(person);
    const url = target.socketUrls[index % target.socketUrls.length] as string;
    const options = { url, accessToken, conversationId, version, tally, onAcked };
    return { circle, person, talker: await Talker.join(options) };
  });
}

async function isLevel({ followers }: Target): Promise<boolean> {
  return (await readLags(followers)).every(({ rows }) => rows === 0);
}

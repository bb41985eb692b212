import { setTimeout as delay } from 'node:timers/promises';
import { type Circle, CpuMeter, nowUs, pidsOf, Talker, Tally } from '@parley/tool-load';
import type { AppInstance } from '@parley/tool-local';
import type { Stock } from '../crowd/crowd';
import type { Crowds } from '../crowd/crowds';
import type { Seat } from '../crowd/member';
import { quantile } from '../crowd/totals';
import { figure, type Finding, hard, type PartResult, time } from '../finding';
import { readMemory } from '../measure/memory';
import { processorTime } from '../measure/processor';
import type { Stage } from '../stage';

const PARALLEL = 256;
const TALKERS_MAX = 50;
const MESSAGES_PER_SECOND = 50;
const BEFORE_MS = 3_000;
/** Everybody is back within so long, and holds everything, or the storm has failed: 56 and 89 s on two cores. */
const BACK_MS_MAX = 60_000;
const WHOLE_MS_MAX = 120_000;
/** At each process, in ms, its part of the talk included: about four times what two cores took that also had the clients. */
const JOIN_CPU_MS_MAX = { realtime: 20, messaging: 10, history: 12, postgres: 12, rabbitmq: 10 };
const KB = 1024;
/** Of the node to which they come, in KB: for each client, and once for what a node grows by under load however many they are. */
const CLIENT_KB_MAX = 80;
const COLLECTED_CLIENT_KB_MAX = 50;
const BURST_KB_MAX = 100_000;
const ACK_MS_MAX = 10_000;
const POLL_MS = 200;

/** Steady talk on the other node: what the storm does to those whom it does not concern. */
class Talk {
  readonly tally = new Tally();
  private timer?: NodeJS.Timeout;
  private sent = 0;
  private last?: { acked: number; atMs: number };
  /** The longest time in which nothing was acknowledged. */
  silenceMsMax = 0;

  private constructor(private readonly talkers: Talker[]) {}

  static async begin(stage: Stage, circles: Circle[], url: string): Promise<Talk> {
    const talk = new Talk([]);
    for (const { conversation, members } of circles) {
      const accessToken = stage.tokenOf(members[0] as (typeof members)[0]);
      const { id: conversationId, version } = conversation;
      const options = {
        url,
        accessToken,
        conversationId,
        version,
        tally: talk.tally,
        onAcked: () => undefined,
      };
      talk.talkers.push(await Talker.join(options));
    }
    talk.tally.openWindow(nowUs());
    talk.timer = setInterval(() => talk.tick(), 1_000 / MESSAGES_PER_SECOND);
    return talk;
  }

  /** Waits for the last answers. Returns how many never came. */
  async end(): Promise<number> {
    clearInterval(this.timer);
    const until = performance.now() + ACK_MS_MAX;
    while (this.unanswered > 0 && performance.now() < until) await delay(20);
    for (const talker of this.talkers) talker.leave();
    return this.unanswered;
  }

  /** Messages that were acknowledged, by conversation. */
  acked(): Map<string, number> {
    return new Map(this.talkers.map(({ conversationId, acked }) => [conversationId, acked]));
  }

  private get unanswered(): number {
    return this.talkers.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  private tick(): void {
    const { tally } = this;
    const now = performance.now();
    if (this.last?.acked !== tally.acked) this.last = { acked: tally.acked, atMs: now };
    this.silenceMsMax = Math.max(this.silenceMsMax, now - this.last.atMs);
    this.talkers[this.sent++ % this.talkers.length]?.send(nowUs());
  }
}

/** Thousands of clients lose their node at once, once killed, once drained, while others talk. */
export async function storm(stage: Stage): Promise<PartResult> {
  const circles = (await stage.circles()).slice(0, TALKERS_MAX);
  const [home, refuge] = [stage.instance('realtime', 0), stage.instance('realtime', 1)];
  const crowds = stage.crowds(stage.options.storm);
  try {
    const findings = [
      ...(await strike(stage, crowds, circles, 'killed', () => home.kill())),
      ...(await strike(stage, crowds, circles, 'drained', () => home.stop())),
    ];
    return { part: 'storm', findings, notes: [] };
  } finally {
    crowds.end();
  }

  async function strike(
    stage: Stage,
    crowds: Crowds,
    circles: Circle[],
    how: string,
    end: () => Promise<void>,
  ): Promise<Finding[]> {
    stage.say(`A node with ${stage.options.storm} clients is ${how}`);
    await crowds.enter(seatsAt(stage, home, refuge), PARALLEL);
    const calm = await readMemory(refuge);
    const talk = await Talk.begin(stage, circles, refuge.url);
    await delay(BEFORE_MS);
    await stage.database.reset();
    await crowds.reset();
    // On a busy machine some have come to the other node in the first place.
    const [{ sockets: leaving }, before] = await Promise.all([metricsOf(home), metricsOf(refuge)]);
    const pids = pidsOf(stage.system).set('realtime', pidsOfOne(refuge)).set('clients', crowds.pids);
    const meter = new CpuMeter(pids);
    const strikeMs = performance.now();
    const ending = end();
    const back = await crowds.until(
      ({ readies, standing }) => readies >= leaving && standing === seats(stage),
      BACK_MS_MAX,
    );
    const cpu = meter.used();
    const calls = await stage.joinStatements();
    const after = await metricsOf(refuge);
    const unanswered = await talk.end();
    await ending;
    const acked = talk.acked();
    for (const { conversation } of circles) {
      conversation.messageCount += acked.get(conversation.id) ?? 0;
      conversation.version += acked.get(conversation.id) ?? 0;
    }
    const lost = await missing(crowds, circles, strikeMs + WHOLE_MS_MAX);
    const wholeMs = performance.now() - strikeMs;
    const { backMs, openMs, readies, syncRefusals, ended, syncs } = await crowds.look();
    const full = await readMemory(refuge);
    await crowds.leave();
    await home.start();
    const { p50Ms, maxMs } = talk.tally.ackLatency.summary();
    const turnedAway = after.unavailable - before.unavailable;
    stage.say(`  sockets ended: ${JSON.stringify(ended)}; syncs refused: ${JSON.stringify(syncRefusals)}`);
    const growthKb = (to: number, from: number): number => (to - from) / leaving / KB;
    const others = [...cpu.byName].filter(([process]) => !(process in JOIN_CPU_MS_MAX));
    const name = (what: string): string => `${how}: ${what}`;
    return [
      hard(name('seconds until all are back'), (back ?? Infinity) / 1000, 's', BACK_MS_MAX / 1000),
      hard(name('seconds until all hold everything'), wholeMs / 1000, 's', WHOLE_MS_MAX / 1000),
      time(name('ready after, median'), quantile(backMs.length > 0 ? backMs : openMs, 0.5) / 1000, 's', 10),
      hard(name('messages that a client misses in the end'), lost, '', 0),
      hard(name('steady messages without an answer'), unanswered, '', 0),
      hard(name('longest time without any acknowledgement'), talk.silenceMsMax / 1000, 's', 2),
      time(name('steady acknowledgement, median'), p50Ms, 'ms', 1_000),
      figure(name('steady acknowledgement, slowest'), maxMs, 'ms'),
      hard(name('joins turned away'), turnedAway, '', stage.options.storm),
      hard(name('joins a client'), readies / seats(stage), '', 1.2, leaving / seats(stage)),
      hard(
        name('memory a client'),
        growthKb(full.residentBytes, calm.collectedBytes),
        'KB',
        CLIENT_KB_MAX + BURST_KB_MAX / leaving,
      ),
      hard(
        name('the same after a collection'),
        growthKb(full.collectedBytes, calm.collectedBytes),
        'KB',
        COLLECTED_CLIENT_KB_MAX + BURST_KB_MAX / leaving,
      ),
      hard(name('statements for memberships a join'), calls / (readies + turnedAway), '', 1.1),
      hard(name('syncs a client'), syncs / seats(stage), '', 5),
      // Talk and its deliveries included; `generator` talks, `clients` come back.
      ...processorTime('a join', cpu, readies, JOIN_CPU_MS_MAX).map((one) => ({
        ...one,
        what: name(one.what),
      })),
      ...others.map(([process, us]) =>
        figure(name(`CPU of ${process} for a join`), us / readies / 1000, 'ms'),
      ),
      figure(name('share of the cores that nobody used'), cpu.idle * 100, '%'),
      figure(name('share that other programs used'), cpu.elsewhere * 100, '%'),
    ];
  }
}

function seats(stage: Stage): number {
  return stage.options.storm;
}

function seatsAt(stage: Stage, home: AppInstance, refuge: AppInstance): Seat[] {
  return stage.people
    .slice(0, stage.options.storm)
    .map((person) => ({ ...person, urls: [home.url, refuge.url], follows: true }));
}

/**
 * Messages that some client does not hold, once it holds all or `untilMs` has passed. The last one may be lost to a socket
 * that was just coming: the digest tells of it within 10 s.
 */
async function missing(crowds: Crowds, circles: Circle[], untilMs: number): Promise<number> {
  const stocks = circles.map(({ conversation, members }): Stock => ({
    id: conversation.id,
    messages: conversation.messageCount,
    userIds: members.map(({ userId }) => userId),
  }));
  for (;;) {
    const lost = await crowds.missing(stocks);
    if (lost === 0 || performance.now() > untilMs) return lost;
    await delay(POLL_MS);
  }
}

function pidsOfOne({ pid }: AppInstance): number[] {
  return pid === undefined ? [] : [pid];
}

/** Open sockets, and connections that were turned away, from the metrics of a node. */
async function metricsOf({ url }: AppInstance): Promise<{ sockets: number; unavailable: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const valueOf = (line: RegExp): number => Number(line.exec(text)?.[1] ?? 0);
  return {
    sockets: valueOf(/^realtime_sockets (\d+)$/m),
    unavailable: valueOf(/^realtime_handshakes_total\{outcome="unavailable"\} (\d+)$/m),
  };
}

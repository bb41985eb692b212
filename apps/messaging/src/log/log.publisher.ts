import { setImmediate as nextTurn } from 'node:timers/promises';
import { inEnvelopes, type Publisher } from '@parley/broker';
import { SpanKind } from '@opentelemetry/api';
import { envelopes, laneOf } from '@parley/contracts';
import { startSpan, traceparentOf } from '@parley/service';
import type { SpansOfRows } from './commit.trace';
import type { LogRow } from './log.store';

const DIGEST_WINDOW_MS = 30_000;
const HEADS_MS = 2000;
const DIGEST_MS = 10_000;
/** Of one envelope: some 250 KB. A broker takes a message of 16 MB at most, and closes the channel at a larger one. */
const DIGEST_CONVERSATIONS_MAX = 5000;

/**
 * Tells what is stored. Rows go out at once, one envelope per lane as far as that can carry them; heads and digests follow on
 * their own paths and timers, so that they find what the live path loses.
 */
export class LogPublisher {
  /** Conversation to its version and when it got it, for the digest; oldest first. */
  private readonly recent = new Map<string, { version: number; at: number }>();
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly publisher: Publisher,
    private readonly epoch: string,
    private readonly heads: () => Map<number, number>,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  start(): void {
    this.timers.push(setInterval(() => this.announceHeads(), HEADS_MS));
    this.timers.push(setInterval(() => void this.sendDigest(), DIGEST_MS));
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.announceHeads();
  }

  /** @param spans the sampled commands that made some of the rows: their traces travel beside the rows */
  publish(rows: LogRow[], spans?: SpansOfRows): void {
    const traces = spans && tracesByLane(spans);
    for (const part of inEnvelopes(rows, ({ event }) => event.length)) this.publishPart(part, traces);
  }

  private publishPart(rows: readonly LogRow[], traces?: Map<number, Record<string, string>>): void {
    const lanes = new Map<number, Map<number, string[]>>();
    const now = this.monotonic();
    for (const row of rows) {
      const lane = laneOf(row.partition);
      const partitions = lanes.get(lane) ?? new Map<number, string[]>();
      lanes.set(lane, partitions);
      const events = partitions.get(row.partition);
      if (events) events.push(row.event);
      else partitions.set(row.partition, [row.event]);
      if (row.version !== null) {
        this.recent.delete(row.conversationId);
        this.recent.set(row.conversationId, { version: row.version, at: now });
      }
    }
    for (const [lane, partitions] of lanes) {
      this.publisher.events(lane, this.envelope(partitions, traces?.get(lane)));
      // Those of rows that come in the next envelope are kept for them.
      traces?.delete(lane);
    }
  }

  /** Twice in a row after a takeover: a consumer fetches what two announcements found missing. */
  announceHeads(): void {
    const heads = Object.fromEntries(this.heads());
    this.publisher.heads({ epoch: this.epoch, heads });
  }

  /** Events are serialised already: the envelope is put together around them as text. */
  private envelope(partitions: Map<number, string[]>, traces?: Record<string, string>): string {
    const parts = [...partitions].map(
      ([partition, events]) => `{"partition":${partition},"rows":[${events.join(',')}]}`,
    );
    const beside = traces ? `,"traces":${JSON.stringify(traces)}` : '';
    return `{"v":${envelopes.events.written},"epoch":${JSON.stringify(this.epoch)},"partitions":[${parts.join(',')}]${beside}}`;
  }

  /**
   * All conversations that changed lately, in as many envelopes as they need: each is a whole digest to whoever hears it. Between
   * them everything else goes on, so what changes again meanwhile may be told as it is then.
   */
  async sendDigest(): Promise<void> {
    const now = this.monotonic();
    let versions: Record<string, number> = {};
    let count = 0;
    for (const [conversationId, { version, at }] of this.recent) {
      // Changed since this began, as all behind it: the next digest has it.
      if (at > now) break;
      if (at < now - DIGEST_WINDOW_MS) {
        this.recent.delete(conversationId);
        continue;
      }
      versions[conversationId] = version;
      if (++count < DIGEST_CONVERSATIONS_MAX) continue;
      this.publisher.digest({ epoch: this.epoch, versions });
      versions = {};
      count = 0;
      await nextTurn();
    }
    if (count > 0) this.publisher.digest({ epoch: this.epoch, versions });
  }
}

/** Lane to what its envelope says of traces: a span for each sampled row, from which its consumers go on. */
function tracesByLane(spans: SpansOfRows): Map<number, Record<string, string>> {
  const lanes = new Map<number, Record<string, string>>();
  for (const [{ partition, position }, parent] of spans) {
    const lane = laneOf(partition);
    const span = startSpan('parley.events publish', parent, {
      kind: SpanKind.PRODUCER,
      attributes: {
        'messaging.system': 'rabbitmq',
        'messaging.destination.name': `parley.events lane.${lane}`,
      },
    });
    if (!span) continue;
    const traces = lanes.get(lane) ?? {};
    lanes.set(lane, traces);
    traces[`${partition}/${position}`] = traceparentOf(span);
    span.end();
  }
  return lanes;
}

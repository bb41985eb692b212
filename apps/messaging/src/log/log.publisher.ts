import type { Publisher } from '@parley/broker';
import { envelopes, laneOf } from '@parley/contracts';
import type { LogRow } from './log.store';

const DIGEST_WINDOW_MS = 30_000;
const HEADS_MS = 2000;
const DIGEST_MS = 10_000;

/**
 * Tells what is stored. Rows go out at once, one envelope per lane; heads and digests follow on their own paths and
 * timers, so that they find what the live path loses.
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
    this.timers.push(setInterval(() => this.sendDigest(), DIGEST_MS));
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.announceHeads();
  }

  publish(rows: LogRow[]): void {
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
    for (const [lane, partitions] of lanes) this.publisher.events(lane, this.envelope(partitions));
  }

  /** Twice in a row after a takeover: a consumer fetches what two announcements found missing. */
  announceHeads(): void {
    const heads = Object.fromEntries(this.heads());
    this.publisher.heads({ epoch: this.epoch, heads });
  }

  /** Events are serialised already: the envelope is put together around them as text. */
  private envelope(partitions: Map<number, string[]>): string {
    const parts = [...partitions].map(
      ([partition, events]) => `{"partition":${partition},"rows":[${events.join(',')}]}`,
    );
    return `{"v":${envelopes.events.written},"epoch":${JSON.stringify(this.epoch)},"partitions":[${parts.join(',')}]}`;
  }

  private sendDigest(): void {
    const oldest = this.monotonic() - DIGEST_WINDOW_MS;
    const versions: Record<string, number> = {};
    for (const [conversationId, { version, at }] of this.recent) {
      if (at < oldest) this.recent.delete(conversationId);
      else versions[conversationId] = version;
    }
    if (this.recent.size > 0) this.publisher.digest({ epoch: this.epoch, versions });
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvelopeKind, EventEnvelope, LogEvent } from '@parley/contracts';

/** One envelope as a release wrote it, and where it was published; `exchange` is empty for a queue. */
export interface RecordedEnvelope {
  kind: EnvelopeKind;
  exchange: string;
  key: string;
  /** Of requests: the key of the replies to them. */
  replyTo?: string;
  body: string;
}

/** What publishes: the Broker of libs/broker, which this library does not know. */
interface Outlet {
  publish(exchange: string, key: string, body: string): boolean;
}

/** What `npm run record:envelopes` wrote down of a running system. */
export class Recording {
  /** @param conversationId of a group: the events are those of its lane, from the first row of each partition on */
  constructor(
    readonly conversationId: string,
    private readonly envelopes: readonly RecordedEnvelope[],
  ) {}

  /** In the order in which they were published. */
  ofKind(kind: EnvelopeKind): RecordedEnvelope[] {
    return this.envelopes.filter((one) => one.kind === kind);
  }

  bodiesOf<Body>(kind: EnvelopeKind): Body[] {
    return this.ofKind(kind).map(({ body }) => JSON.parse(body) as Body);
  }

  /** Under which the rows were told: a peer that stands in for messaging has to name it. */
  get epoch(): string {
    return this.bodiesOf<EventEnvelope>('events')[0]?.epoch ?? '';
  }

  /** All rows that were told; those of one conversation are in their order. */
  get rows(): LogEvent[] {
    return this.bodiesOf<EventEnvelope>('events').flatMap(({ partitions }) =>
      partitions.flatMap(({ rows }) => rows),
    );
  }

  /**
   * Publishes them again, byte for byte, where they were published. All of a kind unless some are picked.
   *
   * @throws Error when there are none, for then nothing would be tested, or when the broker is away
   */
  replay(outlet: Outlet, kind: EnvelopeKind, picked = this.ofKind(kind)): void {
    if (picked.length === 0) throw new Error(`There is no such envelope in the recording: ${kind}.`);
    for (const { exchange, key, body } of picked)
      if (!outlet.publish(exchange, key, body)) throw new Error('The broker does not take envelopes.');
  }
}

/** The envelopes of the release before this one: services must take them. */
export function formerRelease(): Recording {
  const { conversationId, envelopes } = JSON.parse(
    readFileSync(join(__dirname, '../envelopes/v1.json'), 'utf8'),
  ) as { conversationId: string; envelopes: RecordedEnvelope[] };
  return new Recording(conversationId, envelopes);
}

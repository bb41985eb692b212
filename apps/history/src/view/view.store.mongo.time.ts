import type { Collections, ConversationDocument, MessageDocument } from './mongo.documents';
import { indexes, keyOf, numberOf } from './mongo.documents';
import type { CausalReads } from './mongo.reads';

/** Messages that one query looks at: four queries find one among 65,536. */
const probesPerQuery = 16;

/**
 * Number of the first message created at `atMs` (since 1970) or later; one past the last when there is none. Numbers rise
 * with time, so it is searched for, without an index that every write would pay for.
 */
export async function numberAt(
  { messages }: Collections,
  reads: CausalReads,
  { _id: scope, messageCount }: ConversationDocument,
  atMs: number,
): Promise<number> {
  const look = (_id: object, limit: number) =>
    reads.find<MessageDocument>(
      messages,
      { scope, _id },
      { hint: indexes.byId, sort: indexes.byId, limit, projection: { createdAt: 1 } },
    );
  // The answer lies from `low` to `high`, both included.
  let low = 1;
  let high = messageCount + 1;
  while (low < high) {
    const step = Math.ceil((high - low) / probesPerQuery);
    const keys = Array.from({ length: Math.ceil((high - low) / step) }, (_, i) =>
      keyOf(scope, low + i * step),
    );
    let probes = await look({ $in: keys }, keys.length);
    // Numbers are missing only where events are parked: then the next one that is there tells.
    if (probes.length === 0) probes = await look({ $gte: keyOf(scope, low), $lt: keyOf(scope, high) }, 1);
    if (probes.length === 0) return high;
    const earlier = probes.findLast(({ createdAt }) => createdAt.getTime() < atMs);
    const later = probes.find(({ createdAt }) => createdAt.getTime() >= atMs);
    if (earlier) low = numberOf(earlier._id) + 1;
    if (later) high = numberOf(later._id);
    if (step === 1) return high;
  }
  return high;
}

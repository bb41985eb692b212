import {
  type ConnectionEvent,
  type EventEnvelope,
  itemsOf,
  laneOf,
  partitionOf,
  type PresenceEntry,
} from '@parley/contracts';
import type { Recorded } from './tap';

const ROWS_MAX = 60;
/** The status of a reply to what was carried out. */
const OK = 0;

/**
 * What of a recording is kept: one envelope for each thing that is said, a request of each pattern with its reply, and the
 * log of one conversation's lane from its beginning.
 */
export function select(heard: readonly Recorded[], conversationId: string): Recorded[] {
  const lane = `lane.${laneOf(partitionOf(conversationId))}`;
  const kept: Recorded[] = [];
  const pairs = pairsOf(heard);
  const paired = new Set([...pairs.values()].flat());
  const seen = new Set<string>();
  let rows = 0;
  for (const one of heard) {
    if (one.kind === 'events') {
      if (one.key !== lane || rows >= ROWS_MAX) continue;
      const { partitions } = JSON.parse(one.body) as EventEnvelope;
      rows += partitions.reduce((sum, part) => sum + part.rows.length, 0);
      kept.push(one);
      continue;
    }
    const said = saidBy(one, conversationId);
    if (!paired.has(one) && said.every((what) => seen.has(what))) continue;
    for (const what of said) seen.add(what);
    kept.push(one);
  }
  return kept;
}

/** The first request of each pattern that was carried out, and the reply to it. */
export function pairsOf(heard: readonly Recorded[]): Map<string, [request: Recorded, reply: Recorded]> {
  const asked = new Map<string, { pattern: string; request: Recorded }>();
  const pairs = new Map<string, [Recorded, Recorded]>();
  for (const one of heard) {
    const envelope = JSON.parse(one.body) as { requests?: unknown[][]; replies?: unknown[][] };
    if (one.kind === 'requests')
      for (const [id, , , pattern] of envelope.requests ?? [])
        asked.set(`${one.replyTo} ${String(id)}`, { pattern: String(pattern), request: one });
    if (one.kind !== 'replies') continue;
    for (const [id, status] of envelope.replies ?? []) {
      const question = asked.get(`${one.key} ${String(id)}`);
      if (status === OK && question && !pairs.has(question.pattern))
        pairs.set(question.pattern, [question.request, one]);
    }
  }
  return pairs;
}

/** What an envelope says, each as its kind and which of that kind: `connections closed`. */
export function saidBy(one: Recorded, conversationId: string): string[] {
  return whichBy(one, conversationId).map((which) => `${one.kind} ${which}`);
}

function whichBy({ kind, body }: Recorded, conversationId: string): string[] {
  const envelope = JSON.parse(body) as {
    requests?: unknown[][];
    replies?: unknown[][];
    heads?: Record<string, number>;
    open?: Record<string, number>;
    versions?: Record<string, number>;
    kind?: string;
    service?: string;
  };
  if (kind === 'requests') return (envelope.requests ?? []).map(([, , , pattern]) => String(pattern));
  if (kind === 'replies') return (envelope.replies ?? []).map((reply) => shapeOf(reply));
  if (kind === 'heads') return [envelope.heads?.[partitionOf(conversationId)] ? 'rows' : 'nothing yet'];
  // An owner announces itself before it has taken anything.
  if (kind === 'owner') return [Object.keys(envelope.open ?? {}).length > 0 ? 'terms' : 'nothing yet'];
  if (kind === 'digest') return envelope.versions?.[conversationId] === undefined ? [] : ['versions'];
  if (kind === 'connections')
    return (itemsOf(envelope) as ConnectionEvent[]).map(({ sockets }) => (sockets > 0 ? 'open' : 'closed'));
  if (kind === 'presence') return (itemsOf(envelope) as PresenceEntry[]).map(({ status }) => status);
  return [envelope.kind ?? envelope.service ?? ''];
}

/** What a reply is, as far as it can be told: its status and the fields of its answer. */
function shapeOf([, status, data]: unknown[]): string {
  return `${String(status)} ${Object.keys((data ?? {}) as object).join()}`;
}

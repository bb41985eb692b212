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

/** What of a recording is kept: one envelope for each thing that is said, and the log of one conversation's lane from its beginning. */
export function select(heard: readonly Recorded[], conversationId: string): Recorded[] {
  const lane = `lane.${laneOf(partitionOf(conversationId))}`;
  const kept: Recorded[] = [];
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
    if (said.every((what) => seen.has(what))) continue;
    for (const what of said) seen.add(what);
    kept.push(one);
  }
  return kept;
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
    kind?: string;
    service?: string;
  };
  if (kind === 'requests') return (envelope.requests ?? []).map(([, , , pattern]) => String(pattern));
  if (kind === 'replies') return (envelope.replies ?? []).map((reply) => shapeOf(reply));
  if (kind === 'heads') return [envelope.heads?.[partitionOf(conversationId)] ? 'rows' : 'nothing yet'];
  if (kind === 'connections')
    return (itemsOf(envelope) as ConnectionEvent[]).map(({ sockets }) => (sockets > 0 ? 'open' : 'closed'));
  if (kind === 'presence') return (itemsOf(envelope) as PresenceEntry[]).map(({ status }) => status);
  return [envelope.kind ?? envelope.service ?? ''];
}

/** What a reply is, as far as it can be told: its status and the fields of its answer. */
function shapeOf([, status, data]: unknown[]): string {
  return `${String(status)} ${Object.keys((data ?? {}) as object).join()}`;
}

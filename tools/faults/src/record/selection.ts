import { type EventEnvelope, laneOf, partitionOf } from '@parley/contracts';
import type { Recorded } from './tap';

const ROWS_MAX = 60;

/** What of a recording is kept: one envelope for each thing that is said, and the log of one conversation's lane from its beginning. */
export function select(heard: Recorded[], conversationId: string): Recorded[] {
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
    const said = saidBy(one);
    if (said.every((what) => seen.has(`${one.kind} ${what}`))) continue;
    for (const what of said) seen.add(`${one.kind} ${what}`);
    kept.push(one);
  }
  return kept;
}

function saidBy({ kind, body }: Recorded): string[] {
  const envelope = JSON.parse(body) as {
    requests?: unknown[][];
    replies?: unknown[][];
    kind?: string;
    service?: string;
  };
  if (kind === 'requests') return (envelope.requests ?? []).map(([, , , pattern]) => String(pattern));
  if (kind === 'replies') return (envelope.replies ?? []).map((reply) => shapeOf(reply));
  return [envelope.kind ?? envelope.service ?? ''];
}

/** What a reply is, as far as it can be told: its status and the fields of its answer. */
function shapeOf([, status, data]: unknown[]): string {
  return `${String(status)} ${Object.keys((data ?? {}) as object).join()}`;
}

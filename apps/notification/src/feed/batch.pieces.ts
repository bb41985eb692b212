import { id, logEvent, type PartitionRows, partitionOf } from '@parley/contracts';
import { z } from 'zod';
import type { ParkedEvent, Span } from './feed.store';

/** Cuts a batch so that no transaction stores more than so many rows; the order within a partition stays. */
export function* piecesOf(batch: PartitionRows[], rowsMax: number): Generator<PartitionRows[]> {
  let piece: PartitionRows[] = [];
  let room = rowsMax;
  for (const { partition, rows } of batch) {
    for (let from = 0; from < rows.length;) {
      const part = rows.slice(from, from + room);
      piece.push({ partition, rows: part });
      from += part.length;
      room -= part.length;
      if (room > 0) continue;
      yield piece;
      piece = [];
      room = rowsMax;
    }
  }
  if (piece.length > 0) yield piece;
}

export function spansOf(batch: PartitionRows[]): Span[] {
  return batch.map(({ partition, rows }) => ({
    partition,
    first: rows[0]?.position ?? 0,
    last: rows.at(-1)?.position ?? 0,
  }));
}

/**
 * What is left of a batch that another instance has stored in part.
 *
 * @returns undefined when rows are missing before those that are left: then nothing of it may be applied
 */
export function restOf(
  batch: PartitionRows[],
  stored: ReadonlyMap<number, number>,
): PartitionRows[] | undefined {
  const rest: PartitionRows[] = [];
  for (const { partition, rows } of batch) {
    const position = stored.get(partition) ?? -1;
    const left = rows.filter((row) => row.position > position);
    const first = left[0];
    if (!first) continue;
    if (position < 0 || first.position !== position + 1) return undefined;
    rest.push({ partition, rows: left });
  }
  return rest;
}

/** Parts what can be applied from what never can be. */
export function sift(batch: PartitionRows[]): { sound: PartitionRows[]; parked: ParkedEvent[] } {
  const parked: ParkedEvent[] = [];
  const sound = batch.map(({ partition, rows }) => ({
    partition,
    rows: rows.filter((row) => {
      const reason = faultOf(partition, row);
      if (reason !== undefined) parked.push({ partition, position: row.position, reason, ...namesOf(row) });
      return reason === undefined;
    }),
  }));
  return { sound, parked };
}

const namesOfRow = z.object({
  kind: z.string().max(64).nullable().catch(null),
  conversationId: id.nullable().catch(null),
});

/** What a row says it is, as far as it can be believed. */
function namesOf(row: unknown): Pick<ParkedEvent, 'kind' | 'conversationId'> {
  return namesOfRow.parse(row);
}

/** Why nobody can apply a row, in words without its content; undefined for a sound one. */
export function faultOf(partition: number, row: unknown): string | undefined {
  const result = logEvent.safeParse(row);
  if (!result.success) {
    const issues = result.error.issues.map((issue) => `${issue.path.join('.') || 'event'}: ${issue.code}`);
    return issues.slice(0, 10).join('; ').slice(0, 500);
  }
  const event = result.data;
  if (partitionOf(event.conversationId) !== partition) return 'conversationId: is of another partition';
  const inner = 'message' in event ? event.message.conversationId : event.conversationId;
  return id.safeParse(inner).success ? undefined : 'message.conversationId: is no id';
}

import { SpanKind } from '@opentelemetry/api';
import type { TracesOfRows } from '@parley/broker';
import type { LogEvent } from '@parley/contracts';
import { startSpan } from '@parley/service';
import type { Rooms } from './rooms';

/**
 * Called before sampled rows are applied; the function that it returns, called when all frames are written, records a span
 * for each row of which somebody here has heard. It ends when this turn's frames have left.
 */
export function traceDeliveries(rows: readonly LogEvent[], traces: TracesOfRows, rooms: Rooms): () => void {
  const startTime = performance.now();
  const socketsOf = ({ conversationId }: LogEvent) => rooms.members(conversationId)?.size ?? 0;
  const sampled = rows.flatMap((row) => {
    const traceparent = traces.get(row);
    return traceparent === undefined ? [] : [{ row, traceparent, before: socketsOf(row) }];
  });
  return () => {
    const spans = sampled.flatMap(({ row, traceparent, before }) => {
      // Those who came or went with this very row have heard of it too.
      const sockets = Math.max(before, socketsOf(row));
      if (sockets === 0) return [];
      const attributes = { 'parley.sockets': sockets };
      const options = { kind: SpanKind.CONSUMER, attributes, startTime };
      return startSpan(`deliver ${row.kind}`, traceparent, options) ?? [];
    });
    // Sessions asked to be flushed before, so they are flushed before.
    if (spans.length > 0) setImmediate(() => spans.forEach((span) => span.end()));
  };
}

import type { EventEnvelope, LogEvent, PartitionRows } from '@parley/contracts';

/** By row: the W3C traceparent under which it was published. Of sampled rows alone. */
export type TracesOfRows = ReadonlyMap<LogEvent, string>;

interface Kept {
  traceparent: string;
  at: number;
}

const KEPT_MAX = 1000;
const KEPT_MS = 30_000;

/**
 * The traces of rows that have come and are not applied yet. They travel beside the rows, for those are the log's; rows are
 * put into order, merged and cut on their way, and find their traces here again. Without sampled rows it costs nothing.
 */
export class RowTraces {
  /** `partition/position` to the trace, oldest first. */
  private readonly kept = new Map<string, Kept>();

  keep({ traces }: EventEnvelope): void {
    if (!traces) return;
    const at = performance.now();
    for (const [row, traceparent] of Object.entries(traces)) {
      if (typeof traceparent === 'string') this.kept.set(row, { traceparent, at });
    }
    this.drop(at);
  }

  /** Those of the rows of a batch; undefined when there are none, which is nearly always. */
  of(batch: readonly PartitionRows[]): TracesOfRows | undefined {
    if (this.kept.size === 0) return undefined;
    this.drop(performance.now());
    const found = new Map<LogEvent, string>();
    for (const { partition, rows } of batch) {
      for (const row of rows) {
        const kept = this.kept.get(`${partition}/${row.position}`);
        if (kept) found.set(row, kept.traceparent);
      }
    }
    return found.size > 0 ? found : undefined;
  }

  /** The batch is applied. */
  forget(batch: readonly PartitionRows[]): void {
    for (const { partition, rows } of batch) {
      for (const { position } of rows) this.kept.delete(`${partition}/${position}`);
    }
  }

  /** Rows that were applied before, or that never are, leave theirs behind. */
  private drop(now: number): void {
    for (const [row, { at }] of this.kept) {
      if (this.kept.size <= KEPT_MAX && now - at <= KEPT_MS) return;
      this.kept.delete(row);
    }
  }
}

import type { Span } from '@opentelemetry/api';
import { startSpan } from '@parley/service';
import type { LogRow } from './log.store';
import type { Task } from './task';

/** The span of the command that made a row. Of sampled commands alone. */
export type SpansOfRows = ReadonlyMap<LogRow, Span>;

/**
 * One append serves many commands, so it is a trace of its own: linked to the sampled commands that it stores, and each of
 * them linked to it. Without a sampled command there is none.
 */
export class CommitTrace {
  private constructor(
    private readonly spans: SpansOfRows,
    private readonly append: Span,
  ) {}

  /** @param batch what the append is for, by partition */
  static of(batch: ReadonlyMap<unknown, readonly Task[]>): CommitTrace | undefined {
    let spans: Map<LogRow, Span> | undefined;
    for (const tasks of batch.values()) {
      for (const { span, row } of tasks) if (span && row) (spans ??= new Map()).set(row, span);
    }
    if (!spans) return undefined;
    const links = [...spans.values()].map((span) => ({ context: span.spanContext() }));
    const append = startSpan('log append', null, { links });
    if (!append) return undefined;
    for (const span of spans.values()) {
      span.addEvent('append begins');
      span.addLink({ context: append.spanContext() });
    }
    return new CommitTrace(spans, append);
  }

  /** The append has ended, and these rows of so many are stored. Answers with the spans of those that are. */
  end(stored: readonly LogRow[], rows: number): SpansOfRows {
    this.append.setAttributes({ 'parley.rows': rows, 'parley.rows.stored': stored.length });
    this.append.end();
    const known = new Set(stored);
    const done = new Map<LogRow, Span>();
    for (const [row, span] of this.spans) {
      const { partition, position } = row;
      const place = { 'parley.partition': partition, 'parley.position': position };
      span.addEvent(known.has(row) ? 'stored' : 'not stored', place);
      if (known.has(row)) done.set(row, span);
    }
    return done;
  }
}

import type { Violation } from '../checker/observations';
import { table, whole } from '@parley/tool-load';

/** What one fault did. */
export interface Outcome {
  fault: string;
  /** Messages and other changes that were acknowledged in this round, and messages that were refused for good. */
  acked: number;
  changed: number;
  refused: number;
  /** From the strike to the first answer to a message that was sent after it. */
  firstAckMs: number | undefined;
  /** From the strike until every conversation had taken a message that was sent after it. */
  allAckMs: number | undefined;
  /** From the end of the disturbance until every client and the view were in sync. */
  inSyncMs: number | undefined;
  /** The longest time that any client was refused, from the first attempt of a write or a later strike to its answer. */
  refusedMs: number;
  /** The longest time until partitions and lanes were even after an instance came or went, where that was measured. */
  movedMs: number | undefined;
  violations: Violation[];
  /** Why the round could not be judged, or did not end well by itself. */
  trouble: string[];
}

const KINDS = ['lost', 'doubled', 'gap', 'order', 'nodes', 'leak', 'diverged', 'view'] as const;
/** Those that are about time and shares, not about messages. */
const OTHERS = ['refused', 'uneven', 'presence'] as const;

export function isGood({ violations, trouble }: Outcome): boolean {
  return violations.length === 0 && trouble.length === 0;
}

/** The table of all faults, and below it what went wrong. */
export function report(outcomes: Outcome[]): string {
  const headings = [
    'fault',
    'acked',
    'lost',
    'doubled',
    'gaps',
    'order',
    'nodes',
    'leaks',
    'diverged',
    'view',
    'other',
  ];
  const rows = outcomes.map((outcome) => [
    outcome.fault,
    whole(outcome.acked),
    ...KINDS.map((kind) => String(countOf(outcome, [kind]))),
    String(countOf(outcome, OTHERS)),
    seconds(outcome.refusedMs),
    seconds(outcome.movedMs),
    seconds(outcome.firstAckMs),
    seconds(outcome.allAckMs),
    seconds(outcome.inSyncMs),
    isGood(outcome) ? 'good' : 'BAD',
  ]);
  const parts = [
    table([...headings, 'refused s', 'moved s', 'first ack s', 'all write s', 'in sync s', ''], rows),
  ];
  for (const outcome of outcomes.filter((one) => !isGood(one))) {
    parts.push('', `${outcome.fault}:`);
    parts.push(...outcome.trouble.map((line) => `  ${line}`));
    const shown = outcome.violations.slice(0, 20);
    parts.push(
      ...shown.map(({ kind, conversationId, detail }) => `  ${kind} in ${conversationId}: ${detail}`),
    );
    if (outcome.violations.length > shown.length)
      parts.push(`  and ${outcome.violations.length - shown.length} more`);
  }
  return parts.join('\n');
}

function countOf({ violations }: Outcome, kinds: readonly Violation['kind'][]): number {
  return violations.filter(({ kind }) => kinds.includes(kind)).length;
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '-' : (ms / 1000).toFixed(1);
}

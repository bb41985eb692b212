import { table, whole } from '@parley/tool-load';

/**
 * One measured figure and what it may be at most. A broken `hard` bound makes the command fail: memory, counts and bytes are
 * the same on every machine. Times are shown beside theirs, since a busy machine says little about them.
 */
export interface Finding {
  what: string;
  value: number;
  unit: string;
  max?: number;
  kind?: 'hard' | 'time';
}

export function hard(what: string, value: number, unit: string, max: number): Finding {
  return { what, value, unit, max, kind: 'hard' };
}

export function time(what: string, value: number, unit: string, max: number): Finding {
  return { what, value, unit, max, kind: 'time' };
}

export function figure(what: string, value: number, unit: string): Finding {
  return { what, value, unit };
}

export function isBroken({ value, max, kind }: Finding): boolean {
  return kind === 'hard' && !(value <= (max ?? Infinity));
}

export interface PartResult {
  part: string;
  findings: Finding[];
  /** Longer texts, e.g. plans. */
  notes: string[];
}

export function report(results: readonly PartResult[]): string {
  const rows = results.flatMap(({ part, findings }) =>
    findings.map((finding) => [
      `${part}: ${finding.what}`,
      `${text(finding.value)} ${finding.unit}`,
      finding.max === undefined ? '' : `${text(finding.max)} ${finding.unit}`,
      verdictOf(finding),
    ]),
  );
  const notes = results.flatMap((result) => result.notes.map((note) => `\n${result.part}: ${note}`));
  return [table(['what', 'measured', 'at most', ''], rows), ...notes].join('\n');
}

function verdictOf(finding: Finding): string {
  if (isBroken(finding)) return 'BROKEN';
  const { value, max, kind } = finding;
  return kind === 'time' && value > (max ?? Infinity) ? 'slow' : '';
}

function text(value: number): string {
  if (!Number.isFinite(value)) return 'never';
  return Math.abs(value) < 100 && !Number.isInteger(value) ? value.toFixed(1) : whole(value);
}

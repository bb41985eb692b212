import { table, whole } from '@parley/tool-load';

/**
 * One measured figure and what it may be at most, and at least where too little means that what is measured did not happen.
 * A broken `hard` bound makes the command fail: memory, counts and bytes are the same on every machine, and processor time
 * nearly. Times are shown beside theirs, since a busy machine says little about them.
 */
export interface Finding {
  what: string;
  value: number;
  unit: string;
  min?: number;
  max?: number;
  kind?: 'hard' | 'time';
}

export function hard(what: string, value: number, unit: string, max: number, min?: number): Finding {
  return { what, value, unit, max, ...(min !== undefined && { min }), kind: 'hard' };
}

/** Of what must have happened for the rest to say anything. */
export function least(what: string, value: number, unit: string, min: number): Finding {
  return { what, value, unit, min, kind: 'hard' };
}

/** Of what is known to the last one. */
export function exact(what: string, value: number, unit: string, expected: number): Finding {
  return hard(what, value, unit, expected, expected);
}

export function time(what: string, value: number, unit: string, max: number): Finding {
  return { what, value, unit, max, kind: 'time' };
}

export function figure(what: string, value: number, unit: string): Finding {
  return { what, value, unit };
}

export function isBroken({ value, min = -Infinity, max = Infinity, kind }: Finding): boolean {
  return kind === 'hard' && !(value >= min && value <= max);
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
      boundOf(finding),
      verdictOf(finding),
    ]),
  );
  const notes = results.flatMap((result) => result.notes.map((note) => `\n${result.part}: ${note}`));
  return [table(['what', 'measured', 'bound', ''], rows), ...notes].join('\n');
}

/** The most that it may be, `exactly` that, `from … to …` or `at least …`. */
function boundOf({ min, max, unit }: Finding): string {
  if (max === undefined) return min === undefined ? '' : `at least ${text(min)} ${unit}`;
  const most = `${text(max)} ${unit}`;
  if (min === undefined) return most;
  return min === max ? `exactly ${most}` : `from ${text(min)} to ${most}`;
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

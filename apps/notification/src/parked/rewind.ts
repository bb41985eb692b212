import type { LogEvent } from '@parley/contracts';

/**
 * Who of those that came or went later was a member before: the first later change of each tells, for nobody comes who is
 * there, or goes who is not. Of everybody else the present membership was that one, too.
 *
 * @param later rows of one conversation, in their order
 */
export function membersBefore(later: LogEvent[]): ReadonlyMap<string, boolean> {
  const before = new Map<string, boolean>();
  for (const row of later) {
    if (row.kind !== 'member.changed' || row.change === 'role' || before.has(row.member.userId)) continue;
    before.set(row.member.userId, row.change === 'removed');
  }
  return before;
}

/** The set as it was, by what `membersBefore` says. */
export function rewound<T>(
  present: ReadonlySet<T>,
  before: ReadonlyMap<string, boolean>,
  keyOf: (userId: string) => T,
): Set<T> {
  const result = new Set(present);
  for (const [userId, was] of before) {
    if (was) result.add(keyOf(userId));
    else result.delete(keyOf(userId));
  }
  return result;
}

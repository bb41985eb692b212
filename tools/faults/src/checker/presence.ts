import type { PresenceStatus } from '@parley/contracts';
import type { Violation } from './observations';

/** What one client knows of the presence of those whom it watches. */
export interface PresenceView {
  userId: string;
  statuses: ReadonlyMap<string, PresenceStatus>;
  /** Changes that it was told of since the strike. */
  told: number;
}

/** Who is there in truth, and how often each lost a connection since the strike. */
export interface PresenceTruth {
  connected: ReadonlySet<string>;
  reconnections: ReadonlyMap<string, number>;
}

/** Everybody sees who is connected as online and who is not as offline. */
export function checkPresence(
  views: PresenceView[],
  { connected, reconnections }: PresenceTruth,
): Violation[] {
  return views.flatMap(({ userId, statuses }) =>
    [...reconnections.keys()].flatMap((watched): Violation[] => {
      const expected = connected.has(watched) ? 'online' : 'offline';
      const seen = statuses.get(watched) ?? 'nothing';
      if (seen === expected) return [];
      const detail = `${userId} sees ${watched} as ${seen}, who is ${expected}`;
      return [{ kind: 'presence', conversationId: watched, detail }];
    }),
  );
}

/**
 * No storm: of each user a client is told at most twice (gone, back) for every lost connection, and twice more for the
 * disturbance itself.
 */
export function checkStorm(views: PresenceView[], { reconnections }: PresenceTruth): Violation[] {
  const bound = [...reconnections.values()].reduce((sum, times) => sum + 2 * (times + 1), 0);
  return views.flatMap(({ userId, told }): Violation[] =>
    told <= bound
      ? []
      : [{ kind: 'presence', conversationId: userId, detail: `was told ${told} changes, at most ${bound}` }],
  );
}

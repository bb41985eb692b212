import type { PresenceStatus } from '@parley/contracts';
import type { Violation } from './observations';

/** What one client knows of the presence of those whom it watches. */
export interface PresenceView {
  userId: string;
  statuses: ReadonlyMap<string, PresenceStatus>;
  /** Changes that it was told of since the strike, by whom they concern. */
  told: ReadonlyMap<string, number>;
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
 * No storm: of each user a client is told at most twice (gone, back) for every connection that this user lost, and twice
 * more for the disturbance itself.
 */
export function checkStorm(views: PresenceView[], { reconnections }: PresenceTruth): Violation[] {
  return views.flatMap(({ userId, told }) =>
    [...told].flatMap(([watched, times]): Violation[] => {
      const bound = 2 * ((reconnections.get(watched) ?? 0) + 1);
      if (times <= bound) return [];
      const detail = `${userId} was told ${times} changes of ${watched}, at most ${bound}`;
      return [{ kind: 'presence', conversationId: watched, detail }];
    }),
  );
}

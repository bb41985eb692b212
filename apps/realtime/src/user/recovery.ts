import { setTimeout as delay } from 'node:timers/promises';
import type { Broker } from '@parley/broker';
import { getLogger } from '@parley/service';
import type { PresenceWatch } from '../presence/presence.watch';
import { eventFrame } from '../socket/frames';
import type { Session } from '../socket/session';
import type { Sessions } from '../socket/sessions';

const log = getLogger('Recovery');

/** Clients answer `account:changed` with a `sync`, so they are told a few at a time. */
const SOCKETS_PER_SLICE = 50;
const SLICE_MS = 100;
const RETRY_MS = 1_000;
const ATTEMPTS_MAX = 10;

/**
 * After the connection to the broker was lost: what single users were told meanwhile is gone, for it is not in the log.
 * Clients are asked to sync their accounts, and presence is read anew for those who watch.
 */
export class Recovery {
  private isFirst = true;
  private generation = 0;

  constructor(
    broker: Broker,
    private readonly sessions: Sessions,
    private readonly watch: PresenceWatch,
  ) {
    broker.on('connected', () => {
      if (!this.isFirst) void this.run(++this.generation);
      this.isFirst = false;
    });
  }

  private async run(generation: number): Promise<void> {
    await Promise.all([this.nudge(generation, [...this.sessions.all()]), this.rereadPresence(generation)]);
  }

  private async nudge(generation: number, sessions: Session[]): Promise<void> {
    const frame = eventFrame('account:changed', {});
    for (let i = 0; i < sessions.length && generation === this.generation; i += SOCKETS_PER_SLICE) {
      for (const session of sessions.slice(i, i + SOCKETS_PER_SLICE))
        if (session.isLive) session.write(frame);
      await delay(SLICE_MS);
    }
  }

  private async rereadPresence(generation: number): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX && generation === this.generation; attempt += 1) {
      try {
        await this.watch.reread();
        return;
      } catch (error) {
        log.warn({ err: error, attempt }, 'Presence cannot be read.');
        await delay(RETRY_MS);
      }
    }
  }
}

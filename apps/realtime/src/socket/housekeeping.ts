import type { Typing } from '../event/typing';
import type { Floors } from '../feed/floors';
import type { NodeLog } from '../feed/node-log';
import type { RevokedSessions } from './revoked-sessions';
import type { Sessions } from './sessions';

const EVERY_MS = 500;

/** What time alone brings about: tokens expire, typing ends, floors are passed. One timer for all sockets. */
export class Housekeeping {
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly sessions: Sessions,
    private readonly revoked: RevokedSessions,
    private readonly typing: Typing,
    private readonly floors: Floors,
    private readonly log: NodeLog,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.sweep(Date.now()), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private sweep(nowMs: number): void {
    for (const session of this.sessions.all()) {
      if (session.expiresAtMs <= nowMs) session.close('unauthenticated');
    }
    this.typing.sweep(nowMs);
    this.floors.sweep(this.log);
    this.revoked.sweep(nowMs);
  }
}

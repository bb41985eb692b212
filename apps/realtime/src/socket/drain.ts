import { setTimeout as delay } from 'node:timers/promises';
import { getLogger } from '@parley/service';
import type { Config } from '../config';
import type { Session } from './session';
import type { Sessions } from './sessions';

const log = getLogger('Drain');

const SLICE_MS = 100;
/** A socket whose commands are still unanswered may wait for the answers, but not longer than that. */
const ANSWERS_MS_MAX = 2_500;

/**
 * Empties the node before it ends. Every socket is told when to come back elsewhere, at random over the window; who has
 * not gone by then is closed, slice by slice, in the way that makes clients reconnect.
 */
export class Drain {
  private readonly windowMs: number;
  private deadlineMs?: number;

  constructor(
    private readonly sessions: Sessions,
    config: Config,
  ) {
    this.windowMs = config.DRAIN_MS;
  }

  get isDraining(): boolean {
    return this.deadlineMs !== undefined;
  }

  /** When one more socket should come back elsewhere. */
  reconnectAfterMs(): number {
    return Math.floor(Math.random() * this.windowMs);
  }

  /** Resolves when no socket is left. */
  async run(): Promise<void> {
    const start = Date.now();
    this.deadlineMs = start + this.windowMs;
    const deadline = new Date(this.deadlineMs).toISOString();
    log.info({ sockets: this.sessions.size, windowMs: this.windowMs }, 'The sockets are sent elsewhere.');
    const turns: [session: Session, atMs: number][] = [];
    for (const session of this.sessions.all()) {
      const reconnectAfterMs = this.reconnectAfterMs();
      if (session.isLive) session.emit('server:draining', { deadline, reconnectAfterMs });
      turns.push([session, start + reconnectAfterMs]);
    }
    turns.sort(([, a], [, b]) => b - a);
    while (this.sessions.size > 0 && Date.now() < this.deadlineMs + ANSWERS_MS_MAX) {
      this.closeDue(turns);
      if (turns.length === 0) break;
      await delay(SLICE_MS);
    }
    for (const session of [...this.sessions.all()]) session.close('draining');
    await this.gone();
  }

  /** Turns lie in falling order of their time. */
  private closeDue(turns: [session: Session, atMs: number][]): void {
    const now = Date.now();
    const waiting: [Session, number][] = [];
    for (;;) {
      const last = turns.at(-1);
      if (!last || last[1] > now) break;
      turns.pop();
      if (last[0].inFlight > 0 && now < last[1] + ANSWERS_MS_MAX) waiting.push(last);
      else last[0].close('draining');
    }
    turns.push(...waiting.reverse());
  }

  /** The reasons are on their way: a moment for the clients to read them and close. */
  private async gone(): Promise<void> {
    const until = Date.now() + SLICE_MS * 10;
    while (this.sessions.size > 0 && Date.now() < until) await delay(SLICE_MS / 10);
  }
}

import type { Requester } from '@parley/broker';
import { limits } from '@parley/contracts';
import { getLogger, TurnBatch } from '@parley/service';
import type { RevokedSessions } from './revoked-sessions';

const log = getLogger('SessionCheck');

/** Auth is not asked for so long after it did not answer: whoever comes meanwhile is not to wait for nothing. */
const PAUSE_MS = 5_000;
const IDS_PER_QUESTION = limits.userIdsPerRequestMax;

interface Asked {
  sessionId: string;
  answer: (isLive: boolean) => void;
}

/**
 * Whether sessions have ended whose tokens still look good. A node hears of each that ends, but not of those that ended before it
 * came: for as long as tokens of these live, auth is asked about whoever joins. Without its answer tokens are believed, as HTTP
 * does.
 */
export class SessionCheck {
  private readonly asked = new TurnBatch<Asked>(IDS_PER_QUESTION, (batch) => this.ask(batch));
  private pausedUntilMs = 0;

  constructor(
    private readonly requester: Requester,
    private readonly revoked: RevokedSessions,
  ) {}

  /** Those of the sessions that have ended. Never rejects. */
  async endedAmong(sessionIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (this.revoked.areComplete || performance.now() < this.pausedUntilMs) return NONE;
    const areLive = await Promise.all(sessionIds.map((sessionId) => this.isLive(sessionId)));
    const ended = new Set(sessionIds.filter((_, i) => !areLive[i]));
    for (const sessionId of ended) this.revoked.add(sessionId);
    return ended;
  }

  /** Those who are asked for in one turn are asked for together. */
  private isLive(sessionId: string): Promise<boolean> {
    return new Promise((answer) => this.asked.add({ sessionId, answer }));
  }

  private async ask(batch: Asked[]): Promise<void> {
    const live = await this.liveAmong([...new Set(batch.map(({ sessionId }) => sessionId))]);
    for (const { sessionId, answer } of batch) answer(live.has(sessionId));
  }

  private async liveAmong(ids: string[]): Promise<ReadonlySet<string>> {
    try {
      const { live } = await this.requester.query('auth.sessions', { ids });
      return new Set(live);
    } catch (error) {
      // An auth of the release before does not know the question.
      log.warn({ err: error }, 'Auth does not say whether sessions have ended; tokens are believed.');
      this.pausedUntilMs = performance.now() + PAUSE_MS;
      return new Set(ids);
    }
  }
}

const NONE: ReadonlySet<string> = new Set();

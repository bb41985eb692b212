import type { Requester } from '@parley/broker';
import { limits, PROTOCOL, type QueryReply, type ServerPayload } from '@parley/contracts';
import { getLogger } from '@parley/service';
import type { Config } from '../config';
import type { Router } from '../event/router';
import type { Floors } from '../feed/floors';
import type { NodeLog } from '../feed/node-log';
import type { RecentRows } from '../feed/recent-rows';
import type { Rooms } from '../feed/rooms';
import type { RowApplier } from '../feed/row.applier';
import { metrics } from '../metrics';
import type { Session } from '../socket/session';
import type { SessionCheck } from '../socket/session.check';
import type { Profile, Profiles } from '../user/profiles';

export type Memberships = QueryReply<'messaging.join'>;

interface Join {
  userId: string;
  sessions: Set<Session>;
  queuedAtMs: number;
}

export interface JoinParts {
  requester: Requester;
  profiles: Profiles;
  check: SessionCheck;
  log: NodeLog;
  recent: RecentRows;
  rooms: Rooms;
  applier: RowApplier;
  floors: Floors;
  router: Router;
  config: Config;
}

const logger = getLogger('Join');

/** A storm of reconnections waits in line for so long; who is later is told to come back. */
const WAIT_MS_MAX = 8_000;
const WAITING_MAX = 20_000;
/** Share of the joins that may be under way up to which each starts as it comes. */
const STARTED_SINGLY = 0.25;
const ATTEMPTS_MAX = 3;
const RETRY_AFTER_MS = 1_000;

/**
 * Brings a socket into the rooms of its user. The memberships are read from messaging with the positions they reflect;
 * rows that this node applied meanwhile are kept (RecentRows) and applied above those positions, after `ready`. So the
 * socket has exactly what it would have, had it been there all the time.
 */
export class JoinService {
  private readonly waiting = new Map<string, Join>();
  private underWay = 0;
  private readonly limits: ServerPayload<'ready'>['limits'];

  constructor(private readonly parts: JoinParts) {
    const { config } = parts;
    this.limits = {
      ...limits,
      socketEventsPerSecondMax: config.SOCKET_EVENTS_PER_SECOND,
      socketEventsBurstMax: config.SOCKET_EVENTS_BURST,
      socketOutboundBytesMax: config.SOCKET_OUTBOUND_BYTES,
    };
  }

  /** Ends with `ready`, or with the socket closed for a reason; the client never waits without end. */
  begin(session: Session): void {
    const known = this.waiting.get(session.userId);
    if (known) {
      known.sessions.add(session);
      return;
    }
    if (this.parts.log.epoch === undefined || this.waiting.size >= WAITING_MAX) {
      turnAway(session);
      return;
    }
    const join = { userId: session.userId, sessions: new Set([session]), queuedAtMs: performance.now() };
    this.waiting.set(session.userId, join);
    this.next();
  }

  /**
   * A few start as they come. Once more are under way, the next ones wait until most of these are done and go together: what
   * one turn asks travels in one envelope, which messaging answers with one statement.
   */
  private next(): void {
    metrics.joining.set(this.waiting.size);
    const { JOIN_CONCURRENCY } = this.parts.config;
    if (this.underWay > JOIN_CONCURRENCY * STARTED_SINGLY) return;
    for (const [userId, join] of this.waiting) {
      if (this.underWay >= JOIN_CONCURRENCY) return;
      this.waiting.delete(userId);
      this.underWay += 1;
      void this.carryOut(join).finally(() => {
        this.underWay -= 1;
        this.next();
      });
    }
  }

  private async carryOut({ userId, sessions, queuedAtMs }: Join): Promise<void> {
    if ([...sessions].every(({ state }) => state === 'closing')) return;
    try {
      if (performance.now() - queuedAtMs > WAIT_MS_MAX) throw new Error('The wait was too long.');
      const { check, profiles } = this.parts;
      const sessionIds = [...new Set([...sessions].map(({ sessionId }) => sessionId))];
      const beside = Promise.all([profiles.get(userId), check.endedAmong(sessionIds)]);
      await this.withMemberships(userId, beside, (answer, floor, [profile, ended]) => {
        for (const session of sessions) {
          if (ended.has(session.sessionId)) session.close('session_revoked');
          else if (profile) this.complete(session, answer, floor, profile);
          else session.close('unauthenticated');
        }
      });
    } catch (error) {
      logger.warn({ err: error }, 'The memberships of a user cannot be read.');
      for (const session of sessions) turnAway(session);
    }
  }

  /**
   * Reads the memberships, and calls back in the tick in which they, `floor` and the recent rows fit together: what is
   * above the floor and was applied meanwhile is among the recent rows.
   *
   * @param beside is awaited at the same time
   * @throws when messaging does not answer
   */
  async withMemberships<T>(
    userId: string,
    beside: Promise<T>,
    use: (answer: Memberships, floor: number[], besides: T) => void,
  ): Promise<void> {
    const { requester, log, recent } = this.parts;
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
      recent.open();
      const sinceMs = performance.now();
      // What was applied before the question was published after it was stored, so the answer reflects it.
      const begun = log.positions();
      try {
        const [answer, besides] = await Promise.all([requester.query('messaging.join', { userId }), beside]);
        if (answer.epoch !== log.epoch) throw new Error('The epochs differ.');
        if (!recent.reachesTo(sinceMs)) continue;
        const floor = begun.map((position, partition) =>
          Math.max(position, answer.positions[partition] ?? 0),
        );
        use(answer, floor, besides);
        return;
      } finally {
        recent.close();
      }
    }
    throw new Error('Too much happened meanwhile.');
  }

  private complete(session: Session, answer: Memberships, floor: number[], profile: Profile): void {
    if (session.state !== 'joining') return;
    const { log, recent, rooms, applier, floors, router } = this.parts;
    for (const conversationId of answer.memberOf) rooms.join(session, conversationId);
    session.emit('ready', this.ready(session, answer, profile));
    session.state = 'live';
    for (const row of recent.concerning(session.userId, session.conversations, floor)) {
      applier.applyTo(session, row);
    }
    floors.raise(session, floor, log);
    for (const frame of session.held ?? []) session.write(frame);
    session.held = null;
    metrics.handshakes.inc({ outcome: 'ready' });
    router.resume(session);
  }

  private ready(session: Session, answer: Memberships, user: Profile): ServerPayload<'ready'> {
    return {
      epoch: answer.epoch,
      protocol: PROTOCOL,
      serverTime: new Date().toISOString(),
      user,
      sessionId: session.sessionId,
      node: this.parts.config.INSTANCE_ID,
      accountCursor: answer.accountCursor,
      limits: this.limits,
      conversations: answer.conversations.slice(0, limits.readyConversationsMax),
      nextCursor: answer.nextCursor,
    };
  }
}

/** Clients that were turned away together must not come back together. */
function turnAway(session: Session): void {
  metrics.handshakes.inc({ outcome: 'unavailable' });
  session.close('internal', RETRY_AFTER_MS + Math.floor(Math.random() * 2 * RETRY_AFTER_MS));
}

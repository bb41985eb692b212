import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ParleyError, id, limits, type Session, type Tokens } from '@parley/contracts';
import { SERVICE_CONFIG, counter, readAgain, type AuthenticatedUser } from '@parley/service';
import {
  In,
  IsNull,
  LessThan,
  MoreThan,
  type EntityManager,
  type FindOptionsWhere,
  type Repository,
} from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { AuthConfig } from '../config';
import { Outbox, sessionRevoked, type Emit } from '../outbox/outbox';
import { decodeCursor, encodeCursor } from '../paging';
import { decodeToken, encodeToken, hashOf, judge, newSecret, successorOf } from './refresh-token.rules';
import { SessionRow, toSession } from './session.entity';
import { TokenSigner } from './token.signer';

const ticketSeconds = 30;
const dayMs = 86_400_000;

const refreshes = counter('auth_refreshes_total', 'Uses of refresh tokens.', ['outcome']);

/** A session just begun: its tokens are made once its transaction is committed. */
export interface BegunSession extends AuthenticatedUser {
  refreshToken: string;
}

/** Sessions of devices, and the tokens that speak for them. */
@Injectable()
export class SessionService {
  constructor(
    @InjectRepository(SessionRow) private readonly sessions: Repository<SessionRow>,
    @Inject(Outbox) private readonly outbox: Outbox,
    @Inject(TokenSigner) private readonly signer: TokenSigner,
    @Inject(SERVICE_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Begins a session within the caller's transaction. Over the limit, the one that was used longest ago ends. */
  async begin(
    manager: EntityManager,
    emit: Emit,
    userId: string,
    device: string | null,
  ): Promise<BegunSession> {
    const live = await manager.find(SessionRow, {
      select: { id: true },
      where: this.liveOf(userId),
      order: { lastUsedAt: 'DESC', id: 'DESC' },
    });
    for (const { id } of live.slice(limits.sessionsPerUserMax - 1)) await this.end(manager, emit, userId, id);
    const secret = newSecret();
    const row = {
      id: uuid(),
      userId,
      device,
      ...this.usedNow(),
      createdAt: new Date(),
      revokedAt: null,
      generation: 0,
      currentHash: hashOf(secret),
      previousHash: null,
      successorNonce: null,
      tagKey: randomBytes(32),
    };
    await manager.insert(SessionRow, row);
    const refreshToken = encodeToken({ sessionId: row.id, generation: 0, secret }, row.tagKey);
    return { userId, sessionId: row.id, refreshToken };
  }

  async tokensOf(session: BegunSession): Promise<Tokens> {
    const expiresIn = this.config.ACCESS_TOKEN_SECONDS;
    const accessToken = await this.signer.sign('access', session, expiresIn);
    return { tokenType: 'Bearer', accessToken, expiresIn, refreshToken: session.refreshToken };
  }

  /**
   * Exchanges a refresh token for its successor; the rule for lost answers stands in `refresh-token.rules.ts`. A replay
   * ends the session for everybody who holds tokens of it.
   *
   * @throws `unauthenticated`
   */
  async refresh(text: string): Promise<Tokens> {
    const token = decodeToken(text);
    if (!token) throw this.refused();
    const { verdict, session } = await this.sessions.manager.transaction(async (manager) => {
      const row = await manager.findOne(SessionRow, {
        where: { id: token.sessionId },
        lock: { mode: 'pessimistic_write' },
      });
      if (!row || row.revokedAt || row.expiresAt <= new Date()) return { verdict: 'unknown' as const };
      const verdict = judge(token, row);
      if (verdict !== 'rotate' && verdict !== 'repeat')
        return { verdict, session: { ...row, refreshToken: '' } };
      const generation = token.generation + 1;
      const nonce = verdict === 'repeat' && row.successorNonce ? row.successorNonce : randomBytes(32);
      const secret = successorOf(token.secret, nonce);
      if (verdict === 'rotate') {
        const rotated = {
          ...this.usedNow(),
          generation,
          currentHash: hashOf(secret),
          previousHash: row.currentHash,
          successorNonce: nonce,
        };
        await manager.update(SessionRow, { id: row.id }, rotated);
      }
      const refreshToken = encodeToken({ sessionId: row.id, generation, secret }, row.tagKey);
      return { verdict, session: { ...row, refreshToken } };
    });
    refreshes.inc({ outcome: verdict });
    if (!session || verdict === 'unknown') throw this.refused();
    if (verdict === 'replayed') {
      await this.revoke(session.userId, session.id);
      throw this.refused();
    }
    return this.tokensOf({
      userId: session.userId,
      sessionId: session.id,
      refreshToken: session.refreshToken,
    });
  }

  /** Ends one session of the user. Ending it again changes nothing. @throws `not_found` when the user never had it */
  async revoke(userId: string, sessionId: string): Promise<void> {
    await this.outbox.transaction(userId, async (manager, emit) => {
      if (!(await manager.existsBy(SessionRow, { id: sessionId, userId }))) {
        throw new ParleyError('not_found', 'There is no such session.');
      }
      await this.end(manager, emit, userId, sessionId);
    });
  }

  /** Ends every session of the user but one, within the caller's transaction. */
  async endOthers(manager: EntityManager, emit: Emit, userId: string, keptId: string): Promise<void> {
    const live = await manager.find(SessionRow, { select: { id: true }, where: this.liveOf(userId) });
    for (const { id } of live) if (id !== keptId) await this.end(manager, emit, userId, id);
  }

  /** The live sessions, newest first. */
  async list(user: AuthenticatedUser, page: { limit?: number; cursor?: string }) {
    const limit = page.limit ?? limits.pageLimitDefault;
    const before = page.cursor === undefined ? undefined : decodeCursor(page.cursor, id);
    const rows = await this.sessions.find({
      where: { ...this.liveOf(user.userId), ...(before !== undefined && { id: LessThan(before) }) },
      order: { id: 'DESC' },
      take: limit + 1,
    });
    const items: Session[] = rows.slice(0, limit).map((row) => toSession(row, user.sessionId));
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return { items, nextCursor: last ? encodeCursor(last.id) : null };
  }

  /**
   * A ticket for one socket. Unlike reads, it is refused at once when the session has ended.
   *
   * @throws `unauthenticated`
   */
  async ticketFor(user: AuthenticatedUser): Promise<{ ticket: string; expiresIn: number }> {
    await this.assertLive(user);
    return { ticket: await this.signer.sign('ticket', user, ticketSeconds), expiresIn: ticketSeconds };
  }

  /** Those of the sessions that have not ended. */
  async liveAmong(ids: string[]): Promise<string[]> {
    const where = { id: In(ids), revokedAt: IsNull(), expiresAt: MoreThan(new Date()) };
    const rows = await readAgain(() => this.sessions.find({ select: { id: true }, where }));
    return rows.map((row) => row.id);
  }

  /** @throws `unauthenticated` when the session has ended though its access token still lives */
  async assertLive(
    { userId, sessionId }: AuthenticatedUser,
    manager: EntityManager = this.sessions.manager,
  ): Promise<void> {
    if (!(await manager.existsBy(SessionRow, { ...this.liveOf(userId), id: sessionId }))) {
      throw new ParleyError('unauthenticated', 'This session has ended.');
    }
  }

  private liveOf(userId: string): FindOptionsWhere<SessionRow> {
    return { userId, revokedAt: IsNull(), expiresAt: MoreThan(new Date()) };
  }

  private usedNow() {
    const now = Date.now();
    return { lastUsedAt: new Date(now), expiresAt: new Date(now + this.config.SESSION_IDLE_DAYS * dayMs) };
  }

  private async end(manager: EntityManager, emit: Emit, userId: string, sessionId: string): Promise<void> {
    const { affected } = await manager.update(
      SessionRow,
      { id: sessionId, revokedAt: IsNull() },
      { revokedAt: new Date() },
    );
    if (affected) emit(sessionRevoked(userId, sessionId));
  }

  private refused(): ParleyError {
    return new ParleyError('unauthenticated', 'The refresh token is not valid. Log in again.');
  }
}

import { ParleyError, type Authenticated, type Tokens } from '@parley/contracts';
import { backoffMs } from '../backoff';
import { Emitter } from '../emitter';
import type { Environment } from '../environment';
import { ForeignAnswer } from '../http/transport';

const KEY = 'session';
/** A token that has less than this left, or a tenth of its life, is not worth sending. */
const USABLE_MS = 5_000;
const REFRESH_BACKOFF = { baseMs: 500, maxMs: 30_000 };
const REFRESH_ATTEMPTS = 4;

export type SessionUser = Authenticated['user'];

interface Held {
  user: SessionUser;
  accessToken: string;
  refreshToken: string;
  /** By the local clock, like all times here. */
  expiresAt: number;
  usableUntil: number;
  /** When to refresh without being asked: 60 to 80 % into the token's life. */
  refreshAt: number;
}

export type SignedOutReason = 'logout' | 'refused' | 'session_revoked' | 'user_suspended';

interface SessionEvents {
  /** A new access token is in use. */
  renewed: { accessToken: string };
  signedOut: { reason: SignedOutReason };
}

/** Runs a task while no other client with the same storage (another tab) runs one of that name. */
export type Exclusive = <T>(name: string, task: () => Promise<T>) => Promise<T>;

/**
 * Who is signed in. Keeps the tokens, in storage too, and renews them: before they expire, at a jittered time, or when
 * the server found one expired. Successors are stored before they are used, and the same refresh token is sent again
 * when its answer was lost: the server answers it with the same successor until that is first used.
 */
export class Session extends Emitter<SessionEvents> {
  private held?: Held;
  private renewing?: Promise<void>;
  private timer?: unknown;
  private failures = 0;
  private isClosed = false;

  constructor(
    private readonly environment: Environment,
    private readonly exchange: (refreshToken: string) => Promise<Tokens>,
    private readonly exclusive: Exclusive,
  ) {
    super();
  }

  get user(): SessionUser | undefined {
    return this.held?.user;
  }

  /** Takes up the session that storage holds, if any. */
  async restore(): Promise<boolean> {
    this.held = await this.stored();
    this.schedule();
    return this.held !== undefined;
  }

  async begin({ user, tokens }: Authenticated): Promise<void> {
    await this.hold(user, tokens);
  }

  rename(user: SessionUser): void {
    if (this.held) this.held = { ...this.held, user };
  }

  /** A token that can be sent now; renews first if the one in hand is about to expire. */
  async accessToken(): Promise<string> {
    if (!this.held) throw new ParleyError('unauthenticated', 'Nobody is signed in.');
    if (this.held.usableUntil <= this.environment.clock.now()) await this.renew();
    return this.held.accessToken;
  }

  /** Renews unless `rejected`, the token that the server refused, was replaced meanwhile. */
  async replace(rejected: string): Promise<void> {
    if (this.held?.accessToken === rejected) await this.renew();
  }

  /** Renews now. All callers share one exchange. */
  renew(): Promise<void> {
    this.renewing ??= this.exclusive('parley.session', () => this.exchangeWithRetries()).finally(() => {
      this.renewing = undefined;
      this.schedule();
    });
    return this.renewing;
  }

  /** Forgets the session here; the server is not told. */
  async end(reason: SignedOutReason): Promise<void> {
    if (!this.held) return;
    this.unschedule();
    this.held = undefined;
    await this.environment.storage.delete(KEY);
    this.emit('signedOut', { reason });
  }

  /** Never renews again without being asked; the session stays in storage. */
  close(): void {
    this.isClosed = true;
    this.unschedule();
  }

  private unschedule(): void {
    this.environment.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }

  private async exchangeWithRetries(): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      // Another client with the same storage may have renewed: its tokens are newer, ours are used up.
      const stored = await this.stored();
      const held = this.held;
      if (!held) throw new ParleyError('unauthenticated', 'Nobody is signed in.');
      if (stored && stored.user.id === held.user.id && stored.expiresAt > held.expiresAt) {
        this.held = stored;
        this.emit('renewed', { accessToken: stored.accessToken });
        return;
      }
      try {
        const tokens = await this.exchange(held.refreshToken);
        if (this.held === held) await this.hold(held.user, tokens);
        return;
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        // Only the server itself can say that the session is over.
        const isRefused = error.status < 500 && error.code !== 'rate_limited';
        if (isRefused && !(error instanceof ForeignAnswer)) {
          await this.end('refused');
          throw error;
        }
        if (attempt + 1 >= REFRESH_ATTEMPTS) throw error;
        const waitMs = Math.max(
          error.retryAfterMs ?? 0,
          backoffMs(attempt, REFRESH_BACKOFF, this.environment.random),
        );
        await new Promise<void>((resolve) => this.environment.clock.setTimeout(resolve, waitMs));
      }
    }
  }

  private async hold(user: SessionUser, tokens: Tokens): Promise<void> {
    const { clock, storage, random } = this.environment;
    const lifeMs = tokens.expiresIn * 1000;
    const held: Held = {
      user,
      accessToken: tokens.accessToken,
      refreshToken: tokens.refreshToken,
      expiresAt: clock.now() + lifeMs,
      usableUntil: clock.now() + lifeMs - Math.min(USABLE_MS, lifeMs / 10),
      refreshAt: clock.now() + lifeMs * (0.6 + 0.2 * random()),
    };
    const before = this.held;
    await storage.set(KEY, JSON.stringify(held));
    // It ended while it was being kept.
    if (before && !this.held) return storage.delete(KEY);
    this.held = held;
    this.failures = 0;
    this.schedule();
    this.emit('renewed', { accessToken: held.accessToken });
  }

  private async stored(): Promise<Held | undefined> {
    const text = await this.environment.storage.get(KEY);
    return text === undefined ? undefined : (JSON.parse(text) as Held);
  }

  private schedule(): void {
    this.unschedule();
    if (!this.held || this.isClosed) return;
    const { clock, random, logger } = this.environment;
    const afterFailure = this.failures > 0 ? backoffMs(this.failures, REFRESH_BACKOFF, random) : 0;
    const delayMs = Math.max(this.held.refreshAt - clock.now(), afterFailure, 0);
    this.timer = clock.setTimeout(() => {
      this.renew().catch((error: unknown) => {
        this.failures += 1;
        logger.warn('Could not renew the access token.', { error: String(error) });
        this.schedule();
      });
    }, delayMs);
  }
}

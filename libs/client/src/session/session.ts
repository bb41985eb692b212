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
/** Of refusals of a refresh token: malformed, not valid any more, not allowed. */
const OVER: ReadonlySet<number> = new Set([400, 401, 403]);

export type SessionUser = Authenticated['user'];

interface Held {
  user: SessionUser;
  accessToken: string;
  refreshToken: string;
  /** By the local clock, like all times here. */
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

/** Nothing where it is not what this release keeps: whoever has lost it signs in again. */
function readHeld(text: string | undefined): Held | undefined {
  try {
    const held = JSON.parse(text ?? 'null') as Partial<Held> | null;
    const isHeld = held?.user?.id !== undefined && typeof held.refreshToken === 'string';
    return isHeld && typeof held.accessToken === 'string' ? (held as Held) : undefined;
  } catch {
    return undefined;
  }
}

/** The session that an access token names. */
function sidOf(accessToken: string): string | undefined {
  try {
    const claims = accessToken.split('.')[1] ?? '';
    return (JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/'))) as { sid?: string }).sid;
  } catch {
    return undefined;
  }
}

/** Whether both are of one session: another tab may have renewed its tokens. */
function isSame(one: Held, other: Held): boolean {
  const sid = sidOf(one.accessToken);
  return one.refreshToken === other.refreshToken || (sid !== undefined && sid === sidOf(other.accessToken));
}

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
    const { held } = this;
    if (!held) return;
    this.unschedule();
    this.held = undefined;
    const { storage, logger } = this.environment;
    try {
      const stored = await this.stored();
      if (!stored || isSame(stored, held)) await storage.delete(KEY);
    } catch (error) {
      logger.warn('The tokens of a session that ended could not be removed.', { error: String(error) });
    }
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
      if (!this.held) throw new ParleyError('unauthenticated', 'Nobody is signed in.');
      if (stored?.user.id === this.held.user.id && stored.refreshToken !== this.held.refreshToken) {
        this.held = stored;
        if (stored.usableUntil > this.environment.clock.now()) {
          this.emit('renewed', { accessToken: stored.accessToken });
          return;
        }
      }
      const { held } = this;
      try {
        const tokens = await this.exchange(held.refreshToken);
        const isOurs = stored === undefined || stored.user.id === held.user.id;
        if (this.held === held) await this.hold(held.user, tokens, isOurs);
        return;
      } catch (error) {
        if (!(error instanceof ParleyError)) throw error;
        // Only the server itself can say that the session is over, and says so with one of these.
        if (OVER.has(error.status) && !(error instanceof ForeignAnswer)) {
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

  /** `isKept` is false where storage has somebody else's session by now. */
  private async hold(user: SessionUser, tokens: Tokens, isKept = true): Promise<void> {
    const { clock, storage, random } = this.environment;
    const lifeMs = tokens.expiresIn * 1000;
    const held: Held = {
      user,
      accessToken: tokens.accessToken,
      refreshToken: tokens.refreshToken,
      usableUntil: clock.now() + lifeMs - Math.min(USABLE_MS, lifeMs / 10),
      refreshAt: clock.now() + lifeMs * (0.6 + 0.2 * random()),
    };
    const before = this.held;
    if (isKept) await storage.set(KEY, JSON.stringify(held));
    // It ended while it was being kept.
    if (before && !this.held) return isKept ? storage.delete(KEY) : undefined;
    this.held = held;
    this.failures = 0;
    this.schedule();
    this.emit('renewed', { accessToken: held.accessToken });
  }

  private async stored(): Promise<Held | undefined> {
    return readHeld(await this.environment.storage.get(KEY));
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

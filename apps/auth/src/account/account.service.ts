import { Inject, Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import {
  ParleyError,
  type Authenticated,
  type ChangePasswordBody,
  type LoginBody,
  type RegisterBody,
} from '@parley/contracts';
import { counter, isUniqueViolation, type AuthenticatedUser } from '@parley/service';
import type { EntityManager, Repository } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { Outbox, userChanged } from '../outbox/outbox';
import { SessionService } from '../session/session.service';
import { CredentialRow, UserRow, toMe, toUser } from '../user/user.entity';
import { asciiKey, nameKey } from '../user/user.rules';
import { taken } from '../user/user.service';
import { PasswordHasher } from './password.hasher';
import { Throttle, type ReportRate } from './throttle';

/** Where a request comes from, and where its rate is told. */
export interface Caller {
  address: string;
  report: ReportRate;
}

const logins = counter('auth_logins_total', 'Logins by what came of them.', ['outcome']);
const registrations = counter('auth_registrations_total', 'Registrations by what came of them.', ['outcome']);

/** Accounts and what proves that one is theirs. */
@Injectable()
export class AccountService {
  constructor(
    @InjectRepository(UserRow) private readonly users: Repository<UserRow>,
    @InjectRepository(CredentialRow) private readonly credentials: Repository<CredentialRow>,
    @Inject(PasswordHasher) private readonly hasher: PasswordHasher,
    @Inject(Throttle) private readonly throttle: Throttle,
    @Inject(SessionService) private readonly sessions: SessionService,
    @Inject(Outbox) private readonly outbox: Outbox,
  ) {}

  /**
   * Makes an account and its first session.
   *
   * @throws `conflict` when the address or username is in use: the one answer of this service that tells that, since
   *   registering cannot go on without it. It is throttled by address.
   */
  async register(body: RegisterBody, caller: Caller): Promise<Authenticated> {
    await this.throttle.register(caller.address, caller.report);
    const user = {
      id: uuid(),
      email: body.email,
      emailKey: asciiKey(body.email),
      username: body.username,
      usernameKey: asciiKey(body.username),
      displayName: body.displayName,
      displayNameKey: nameKey(body.displayName),
      createdAt: new Date(),
      updatedAt: new Date(),
    };
    try {
      // Asked first only to spare the hashing; the database's unique indexes decide.
      if (await this.users.existsBy({ emailKey: user.emailKey })) throw taken('email');
      if (await this.users.existsBy({ usernameKey: user.usernameKey })) throw taken('username');
      const passwordHash = await this.hasher.hash(body.password);
      const session = await this.outbox.transaction(null, async (manager, emit) => {
        await manager.insert(UserRow, user);
        await manager.insert(CredentialRow, { userId: user.id, passwordHash, changedAt: new Date() });
        emit(userChanged(toUser(user)));
        return this.sessions.begin(manager, emit, user.id, null);
      });
      registrations.inc({ outcome: 'created' });
      return { user: toMe(user), tokens: await this.sessions.tokensOf(session) };
    } catch (error) {
      const refusal = conflictOf(error);
      registrations.inc({ outcome: refusal ? 'conflict' : 'failed' });
      throw refusal ?? error;
    }
  }

  /**
   * Begins a session. Unknown names and wrong passwords cost the same time and get the same answer.
   *
   * @throws `invalid_credentials`, `rate_limited`
   */
  async login(body: LoginBody, caller: Caller): Promise<Authenticated> {
    const key = asciiKey(body.login);
    const user = await this.users.findOneBy(key.includes('@') ? { emailKey: key } : { usernameKey: key });
    const attempt = await this.throttle.login(key, caller.address, caller.report).catch((error) => {
      logins.inc({ outcome: 'throttled' });
      throw error;
    });
    // Asked for even where there is no user, so that both ways take the same steps.
    const credential = await this.credentials.findOneBy({ userId: user?.id ?? uuid() });
    const fits = await this.hasher.verify(credential?.passwordHash, body.password);
    if (!fits || !user) {
      logins.inc({ outcome: 'invalid_credentials' });
      throw wrongLogin();
    }
    await attempt.succeeded([user.emailKey, user.usernameKey]);
    if (body.totp !== undefined) {
      // Only whoever knows the password learns this. To take a code that nobody checks would be a lie.
      throw new ParleyError('invalid_request', 'totp: no second factor is enrolled', {
        errors: [{ path: 'totp', message: 'no second factor is enrolled' }],
      });
    }
    const session = await this.outbox.transaction(user.id, async (manager, emit) => {
      // Who changed it meanwhile wants nobody in who knows the old one.
      if (!(await isStill(manager, credential))) return undefined;
      return this.sessions.begin(manager, emit, user.id, body.device ?? null);
    });
    if (!session) {
      logins.inc({ outcome: 'invalid_credentials' });
      throw wrongLogin();
    }
    logins.inc({ outcome: 'success' });
    return { user: toMe(user), tokens: await this.sessions.tokensOf(session) };
  }

  /**
   * Sets another password and ends every other session of the user.
   *
   * @throws `invalid_credentials` when the current one is wrong, `unauthenticated` when the session has ended
   */
  async changePassword(user: AuthenticatedUser, body: ChangePasswordBody, caller: Caller): Promise<void> {
    await this.sessions.assertLive(user);
    // By the id, which nobody gives at a login: strangers who guess there must not keep the owner from changing it.
    const attempt = await this.throttle.login(user.userId, caller.address, caller.report);
    const credential = await this.credentials.findOneBy({ userId: user.userId });
    if (!(await this.hasher.verify(credential?.passwordHash, body.currentPassword))) {
      throw wrongPassword();
    }
    await attempt.succeeded([user.userId]);
    const passwordHash = await this.hasher.hash(body.newPassword);
    await this.outbox.transaction(user.userId, async (manager, emit) => {
      // Of two changes at once the second must not undo the first, nor outlive the session that the first has ended.
      await this.sessions.assertLive(user, manager);
      if (!(await isStill(manager, credential))) throw wrongPassword();
      await manager.update(CredentialRow, { userId: user.userId }, { passwordHash, changedAt: new Date() });
      await this.sessions.endOthers(manager, emit, user.userId, user.sessionId);
    });
  }
}

/** Whether the password is the one that was compared. To be asked within a transaction that holds the user's row. */
async function isStill(manager: EntityManager, credential: CredentialRow | null): Promise<boolean> {
  if (!credential) return false;
  const { userId, passwordHash } = credential;
  return manager.existsBy(CredentialRow, { userId, passwordHash });
}

function wrongLogin(): ParleyError {
  return new ParleyError('invalid_credentials', 'The login or the password is wrong.');
}

function wrongPassword(): ParleyError {
  return new ParleyError('invalid_credentials', 'The current password is wrong.');
}

function conflictOf(error: unknown): ParleyError | undefined {
  if (error instanceof ParleyError && error.code === 'conflict') return error;
  if (isUniqueViolation(error, 'users_email')) return taken('email');
  if (isUniqueViolation(error, 'users_username')) return taken('username');
  return undefined;
}

import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { Injectable } from '@nestjs/common';
import { ParleyError } from '@parley/contracts';
import { counter } from '@parley/service';
import type { Redis } from 'ioredis';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';

export interface ThrottleSettings {
  windowSeconds: number;
  failuresPerAccount: number;
  failuresPerAddress: number;
  registrationsPerAddress: number;
}

/** What the tightest bucket says, for the RateLimit headers. */
export interface RateState {
  limit: number;
  remaining: number;
  resetMs: number;
}
export type ReportRate = (state: RateState) => void;

/** One login under way; its failure is already counted, so that many at once cannot slip through. */
export interface LoginAttempt {
  /**
   * Gives back what was counted, and remembers that the account logs in from this address.
   *
   * @param names all that the account may be called by
   */
  succeeded(names: string[]): Promise<void>;
}

const knownSeconds = 30 * 86_400;

const refused = counter('auth_throttled_total', 'Attempts refused by the throttle.', ['bucket']);

/**
 * Slows guessing down, by address and by the name that is given for an account. A username and a mail address each have a bucket,
 * whether they belong together, to different accounts or to none: one for both would tell strangers whose address it is. There is no
 * lockout: a bucket is refilled within minutes, and an address from which the owner has logged in lately has one of its own, which
 * strangers cannot empty.
 *
 * Counted in Redis for all instances together; while Redis is away, each instance counts for itself. Addresses and
 * accounts are kept as hashes only.
 */
@Injectable()
export class Throttle {
  private readonly address: RateLimiterAbstract;
  private readonly account: RateLimiterAbstract;
  private readonly pair: RateLimiterAbstract;
  private readonly registration: RateLimiterAbstract;

  constructor(
    private readonly redis: Redis,
    settings: ThrottleSettings,
  ) {
    const bucket = (name: string, points: number): RateLimiterAbstract => {
      const options = { keyPrefix: `auth:throttle:${name}`, points, duration: settings.windowSeconds };
      return new RateLimiterRedis({
        ...options,
        storeClient: redis,
        rejectIfRedisNotReady: true,
        insuranceLimiter: new RateLimiterMemory(options),
      });
    };
    this.address = bucket('address', settings.failuresPerAddress);
    this.account = bucket('account', settings.failuresPerAccount);
    this.pair = bucket('pair', settings.failuresPerAccount);
    this.registration = bucket('registration', settings.registrationsPerAddress);
  }

  /** @throws `rate_limited` */
  async register(address: string, report: ReportRate): Promise<void> {
    await take(this.registration, 'registration', hashed(network(address)), report);
  }

  /**
   * Counts a login, before the password is looked at.
   *
   * @param name as it was given, folded, whether there is such an account or not
   * @throws `rate_limited`
   */
  async login(name: string, address: string, report: ReportRate): Promise<LoginAttempt> {
    const addressKey = hashed(network(address));
    const accountKey = hashed(name);
    const pairKeyOf = (called: string) => hashed(`${called} ${network(address)}`);
    const pairKey = pairKeyOf(name);
    const known = await this.isKnown(pairKey);
    await take(this.address, 'address', addressKey, report);
    if (known) await take(this.pair, 'pair', pairKey, report);
    else await take(this.account, 'account', accountKey, report);
    return {
      succeeded: async (names) => {
        const own = known ? this.pair.reward(pairKey) : this.account.reward(accountKey);
        const remembered = names.map((called) => this.remember(pairKeyOf(called)));
        await Promise.all([this.address.reward(addressKey), own, ...remembered]);
      },
    };
  }

  private async isKnown(pairKey: string): Promise<boolean> {
    try {
      return (await this.redis.exists(`auth:known:${pairKey}`)) === 1;
    } catch {
      // Redis is away: everybody is a stranger for now, which only makes the throttle stricter.
      return false;
    }
  }

  private async remember(pairKey: string): Promise<void> {
    try {
      await this.redis.set(`auth:known:${pairKey}`, '1', 'EX', knownSeconds);
    } catch {
      // Forgotten at worst; see above.
    }
  }
}

async function take(
  limiter: RateLimiterAbstract,
  bucket: string,
  key: string,
  report: ReportRate,
): Promise<void> {
  try {
    report(stateOf(limiter, await limiter.consume(key)));
  } catch (outcome) {
    if (!(outcome instanceof RateLimiterRes)) throw outcome;
    report(stateOf(limiter, outcome));
    refused.inc({ bucket });
    throw new ParleyError('rate_limited', 'Too many attempts. Wait before trying again.', {
      retryAfterMs: Math.max(1000, outcome.msBeforeNext),
    });
  }
}

function stateOf(limiter: RateLimiterAbstract, result: RateLimiterRes): RateState {
  return {
    limit: limiter.points,
    remaining: Math.max(0, result.remainingPoints),
    resetMs: Math.max(0, result.msBeforeNext),
  };
}

/** Who has IPv6 has at least a /64 of it, and could count afresh with every address in it. */
export function network(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

function hashed(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 24);
}

import { ParleyError, type Authenticated, type Tokens } from '@parley/contracts';
import { MemoryStorage, silentLogger } from '../environment';
import { ForeignAnswer } from '../http/transport';
import { VirtualClock } from '../testing/virtual-clock';
import { Session, type Exclusive } from './session';

const user: Authenticated['user'] = {
  id: 'user',
  username: 'alice',
  displayName: 'Alice',
  email: 'alice@example.com',
  createdAt: '2026-01-01T00:00:00.000Z',
};
const LIFE_MS = 600_000;

/** Hands out tokens as the contract has it: a token that was followed answers with its successor until that is used. */
class Issuer {
  private issued = 0;
  private readonly successors = new Map<string, Tokens>();
  private readonly used = new Set<string>();
  readonly asked: string[] = [];
  readonly failures: (ParleyError | 'lost')[] = [];

  fresh(): Tokens {
    this.issued += 1;
    const [accessToken, refreshToken] = [`access ${this.issued}`, `refresh ${this.issued}`];
    return { tokenType: 'Bearer', accessToken, refreshToken, expiresIn: LIFE_MS / 1000 };
  }

  readonly exchange = async (refreshToken: string): Promise<Tokens> => {
    await Promise.resolve();
    this.asked.push(refreshToken);
    const failure = this.failures.shift();
    if (failure instanceof ParleyError) throw failure;
    const known = this.successors.get(refreshToken);
    if (known && this.used.has(known.refreshToken)) throw new ParleyError('unauthenticated', 'Used again.');
    this.used.add(refreshToken);
    const tokens = known ?? this.fresh();
    this.successors.set(refreshToken, tokens);
    if (failure === 'lost') throw new ParleyError('unavailable', 'No answer.');
    return tokens;
  };
}

function world(storage = new MemoryStorage()) {
  const clock = new VirtualClock();
  const issuer = new Issuer();
  const locks = new Map<string, Promise<unknown>>();
  const exclusive: Exclusive = (name, task) => {
    const result = (locks.get(name) ?? Promise.resolve()).then(task);
    locks.set(
      name,
      result.catch(() => undefined),
    );
    return result;
  };
  const session = () =>
    new Session({ clock, storage, logger: silentLogger, random: () => 0.5 }, issuer.exchange, exclusive);
  return { clock, issuer, storage, session };
}

describe('a session', () => {
  it('renews before the token expires, without being asked', async () => {
    const { clock, issuer, session } = world();
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    expect(await one.accessToken()).toBe('access 1');
    await clock.pass(LIFE_MS * 0.71);
    expect(issuer.asked).toEqual(['refresh 1']);
    expect(await one.accessToken()).toBe('access 2');
  });

  it('renews once for all who ask, and only for the token that was refused', async () => {
    const { issuer, session } = world();
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    await Promise.all([one.replace('access 1'), one.replace('access 1'), one.renew()]);
    await one.replace('access 1');
    expect(issuer.asked).toEqual(['refresh 1']);
  });

  it('asks again with the same token when the answer was lost', async () => {
    const { clock, issuer, session } = world();
    issuer.failures.push('lost', new ParleyError('unavailable'), 'lost');
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    const renewed = one.renew();
    await clock.pass(60_000);
    await renewed;
    expect(issuer.asked).toEqual(['refresh 1', 'refresh 1', 'refresh 1', 'refresh 1']);
    expect(await one.accessToken()).toBe('access 2');
  });

  it('goes on trying while the server is away, and is not signed out by that', async () => {
    const { clock, issuer, session } = world();
    issuer.failures.push(...Array.from({ length: 12 }, () => new ParleyError('unavailable')));
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    await clock.pass(LIFE_MS * 2);
    expect(one.user).toEqual(user);
    expect(await one.accessToken()).toMatch(/^access/);
    expect(issuer.asked.length).toBeGreaterThan(12);
  });

  it('ends when the server says so', async () => {
    const { issuer, session, storage } = world();
    issuer.failures.push(new ParleyError('unauthenticated', 'Revoked.'));
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    const ended = one.once('signedOut');
    await expect(one.renew()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await ended).toEqual({ reason: 'refused' });
    await expect(one.accessToken()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await storage.keys('')).toEqual([]);
  });

  it.each([
    {
      where: 'something between answered in place of the server',
      failures: [new ForeignAnswer('not_found'), new ForeignAnswer('unauthenticated')],
    },
    {
      where: 'the server says nothing of the session',
      failures: [new ParleyError('not_found'), new ParleyError('payload_too_large')],
    },
  ])('goes on where $where', async ({ failures }) => {
    const { clock, issuer, session } = world();
    issuer.failures.push(...failures);
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    const renewed = one.renew();
    await clock.pass(60_000);
    await renewed;
    expect(await one.accessToken()).toBe('access 2');
  });

  it('stays ended when its tokens were being renewed', async () => {
    const storage = new MemoryStorage();
    const { issuer, session } = world(storage);
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    const set = storage.set.bind(storage);
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const reached = new Promise<void>((resolve) => {
      storage.set = async (key, value) => {
        resolve();
        await released;
        await set(key, value);
      };
    });
    const renewed = one.renew();
    await reached;
    await one.end('logout');
    release();
    await renewed;
    expect(one.user).toBeUndefined();
    expect(await storage.keys('')).toEqual([]);
  });

  it('shares a storage with another tab: who comes second takes what the first one got', async () => {
    const { clock, issuer, session } = world();
    const first = session();
    await first.begin({ user, tokens: issuer.fresh() });
    const second = session();
    expect(await second.restore()).toBe(true);
    await clock.pass(1);
    await Promise.all([first.renew(), second.renew()]);
    expect(issuer.asked).toEqual(['refresh 1']);
    await clock.pass(1);
    await first.renew();
    await clock.pass(1);
    await second.renew();
    expect(issuer.asked).toEqual(['refresh 1', 'refresh 2']);
    expect(await second.accessToken()).toBe(await first.accessToken());
  });

  it('takes what another tab got also when the clock was set back meanwhile', async () => {
    const { clock, issuer, session } = world();
    const first = session();
    await first.begin({ user, tokens: issuer.fresh() });
    const second = session();
    await second.restore();
    clock.turn(-3_600_000);
    await first.renew();
    await first.renew();
    // The token that the second one had is used up: to show it would end the session everywhere.
    await second.renew();
    expect(issuer.asked).toEqual(['refresh 1', 'refresh 2']);
    expect(await second.accessToken()).toBe(await first.accessToken());
  });

  it('leaves what another tab kept when it ends: somebody may have signed in there since', async () => {
    const { issuer, session, storage } = world();
    const [first, second] = [session(), session()];
    await first.begin({ user, tokens: issuer.fresh() });
    await second.begin({ user: { ...user, id: 'other' }, tokens: issuer.fresh() });
    await first.end('session_revoked');
    expect(await session().restore()).toBe(true);
    await second.end('logout');
    expect(await storage.keys('')).toEqual([]);
  });

  it('never writes over the session of somebody who signed in since in another tab', async () => {
    const { issuer, session } = world();
    const [first, second, third] = [session(), session(), session()];
    await first.begin({ user, tokens: issuer.fresh() });
    await second.begin({ user: { ...user, id: 'other' }, tokens: issuer.fresh() });
    await first.renew();
    expect(await first.accessToken()).toBe('access 3');
    await third.restore();
    expect(third.user?.id).toBe('other');
  });

  it('begins with nobody where storage holds what it cannot read', async () => {
    const { session, storage } = world();
    for (const text of ['', '{', 'null', '7', '{"user":{}}']) {
      await storage.set('session', text);
      expect(await session().restore()).toBe(false);
    }
  });

  it('ends and says so also where storage fails', async () => {
    const { issuer, session, storage } = world();
    const one = session();
    await one.begin({ user, tokens: issuer.fresh() });
    storage.delete = () => Promise.reject(new Error('The disk is gone.'));
    const ended = one.once('signedOut');
    await one.end('session_revoked');
    expect(await ended).toEqual({ reason: 'session_revoked' });
  });
});

import { ParleyError, type PresenceEntry } from '@parley/contracts';
import { MemoryStorage, silentLogger } from '../environment';
import { settle, VirtualClock } from '../testing/virtual-clock';
import { Presence } from './presence';

/** A server that answers as it is told, and otherwise that everybody is online. */
function world() {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const failures: ParleyError[] = [];
  const ask = async (event: string, userIds: string[]) => {
    await Promise.resolve();
    asked.push(`${event} ${userIds.join()}`);
    const failure = failures.shift();
    if (failure) throw failure;
    return {
      items: userIds.map((userId): PresenceEntry => ({ userId, status: 'online', lastSeenAt: null })),
    };
  };
  const environment = { clock, storage: new MemoryStorage(), logger: silentLogger, random: () => 0.5 };
  return { clock, asked, failures, presence: new Presence(ask, environment) };
}

it('asks again for whom the server could not watch, while they are watched', async () => {
  const { clock, asked, failures, presence } = world();
  presence.resume();
  failures.push(
    new ParleyError('unavailable', 'Away.', { retryAfterMs: 500 }),
    new ParleyError('rate_limited'),
  );
  presence.watch(['alice']);
  const end = presence.watch(['bob']);
  await settle();
  end();
  await clock.pass(60_000);
  expect(asked).toEqual([
    'presence:watch alice',
    'presence:watch bob',
    'presence:unwatch bob',
    'presence:watch alice',
  ]);
  expect(presence.of('alice')).toMatchObject({ status: 'online' });
  expect(presence.of('bob')).toBeUndefined();
});

it('does not ask again what is refused for good, nor without a connection', async () => {
  const { clock, asked, failures, presence } = world();
  presence.resume();
  failures.push(new ParleyError('invalid_request'), new ParleyError('unavailable'));
  presence.watch(['alice']);
  presence.watch(['bob']);
  await settle();
  presence.pause();
  await clock.pass(60_000);
  expect(asked).toEqual(['presence:watch alice', 'presence:watch bob']);
  expect(clock.next).toBeUndefined();
});

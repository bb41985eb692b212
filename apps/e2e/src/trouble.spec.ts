import type { Message } from '@parley/contracts';
import { bodies, closeClients, connected, until, type Person } from './system/world';

afterAll(closeClients);

describe('somebody who misbehaves', () => {
  let mallory: Person;
  let bob: Person;
  let conversationId: string;
  beforeAll(async () => {
    [mallory, bob] = await Promise.all([connected('mallory'), connected('bob')]);
    conversationId = (await mallory.client.direct(bob.user.id)).id;
  });

  it('is told why a frame that is too large ends the connection, and comes back', async () => {
    const { realtime } = mallory.client;
    const closing = realtime.once('session:closing');
    const lost = realtime.once('status', ({ state }) => state !== 'ready');
    const back = lost.then(() => realtime.once('status', ({ state }) => state === 'ready'));
    const refused = realtime.request('message:send', {
      conversationId,
      clientMessageId: 'large',
      body: 'x'.repeat(1_000_000),
    });
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' });
    expect(await closing).toMatchObject({ code: 'payload_too_large', reconnect: true });
    await back;
  });

  it('is slowed down when asking thousands of times, and nobody else is', async () => {
    await mallory.client.connect();
    const flood = Array.from({ length: 1_000 }, () =>
      mallory.client.realtime.request('typing:start', { conversationId }).then(
        () => 'ok',
        (error: { code: string }) => error.code,
      ),
    );
    const sent = bob.client.send({ conversationId, body: 'Calm.' });
    await sent.stored;
    const outcomes = new Set(await Promise.all(flood));
    expect([...outcomes].filter((code) => !['ok', 'rate_limited', 'unavailable'].includes(code))).toEqual([]);
    expect(outcomes).toContain('rate_limited');
  });

  it('gets everything stored in the end that was meant to be, in order', async () => {
    const texts = Array.from({ length: 100 }, (_, n) => `burst ${n}`);
    const stored = await Promise.all(
      texts.map((body) => mallory.client.send({ conversationId, body }).stored),
    );
    const numbers = stored.map(({ number }: Message) => number);
    expect(numbers).toEqual(numbers.map((_, n) => numbers[0]! + n));
    await until(bob.client, () => bodies(bob.client, conversationId).at(-1) === 'burst 99');
    expect(bodies(bob.client, conversationId).slice(-100)).toEqual(texts);
  });
});

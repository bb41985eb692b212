import { ParleyError, type ErrorCode, type Message, type SendMessagePayload } from '@parley/contracts';
import fc from 'fast-check';
import { MemoryStorage, silentLogger, type Environment } from '../environment';
import { settle, VirtualClock } from '../testing/virtual-clock';
import { Outbox } from './outbox';

const USER = 'user';

function request(id: string, conversationId = 'room'): SendMessagePayload {
  return { conversationId, clientMessageId: id, body: id };
}

function environment(): Environment & { clock: VirtualClock; storage: MemoryStorage } {
  return { clock: new VirtualClock(), storage: new MemoryStorage(), logger: silentLogger, random: () => 0.5 };
}

/** A server that stores each id once, and a line that fails as it is told, once per attempt. */
class Server {
  readonly stored: SendMessagePayload[] = [];
  readonly outcomes: ('ok' | 'lostAnswer' | ErrorCode)[] = [];

  readonly transmit = async (message: SendMessagePayload): Promise<Message> => {
    await Promise.resolve();
    const known = this.stored.some(({ clientMessageId }) => clientMessageId === message.clientMessageId);
    const said = this.outcomes.shift() ?? 'ok';
    // What is stored is never refused afterwards.
    const outcome = known && said === 'forbidden' ? 'ok' : said;
    if (outcome === 'ok' || outcome === 'lostAnswer') {
      if (!known) this.stored.push(message);
      if (outcome === 'ok') return { ...message, number: this.stored.length } as unknown as Message;
      throw new ParleyError('unavailable', 'No ack came.');
    }
    throw new ParleyError(outcome);
  };

  bodies(conversationId = 'room'): string[] {
    return this.stored.filter((m) => m.conversationId === conversationId).map(({ body }) => body);
  }
}

async function opened(env: Environment, server: Server): Promise<Outbox> {
  const outbox = new Outbox(env, server.transmit);
  await outbox.open(USER);
  outbox.start();
  return outbox;
}

describe('the outbox', () => {
  it('says what failed where a message that is to be sent again cannot be kept', async () => {
    const [env, server] = [environment(), new Server()];
    server.outcomes.push('forbidden');
    const outbox = await opened(env, server);
    await expect(outbox.add(request('a'))).rejects.toMatchObject({ code: 'forbidden' });
    await settle();
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    env.storage.set = () => Promise.reject(new Error('The disk is full.'));
    outbox.retry('a');
    await settle();
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    expect(outbox.pending()).toMatchObject([{ state: 'refused', error: { code: 'internal' } }]);
  });

  it('takes up the rest where storage holds something that is no message', async () => {
    const [env, server] = [environment(), new Server()];
    const before = new Outbox(env, server.transmit);
    await before.open(USER);
    void before.add(request('a'));
    await settle();
    for (const [i, text] of ['', '{"sequence":', 'null', '{}'].entries())
      await env.storage.set(`outbox.${USER}.broken${i}`, text);
    const outbox = await opened(env, server);
    await settle();
    expect(server.bodies()).toEqual(['a']);
    expect(outbox.pending()).toEqual([]);
  });

  it('leaves nobody waiting for a message that was forgotten with its session', async () => {
    const [env, server] = [environment(), new Server()];
    const outbox = new Outbox(env, server.transmit);
    await outbox.open(USER);
    const forgotten = outbox.add(request('a'));
    await settle();
    outbox.close();
    await outbox.erase(USER);
    await expect(forgotten).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('tells of a message that waited for the next login of its sender, and of nobody else', async () => {
    const [env, server] = [environment(), new Server()];
    const outbox = new Outbox(env, server.transmit);
    await outbox.open(USER);
    const [waiting, other] = [outbox.add(request('a')), outbox.add(request('b'))];
    await settle();
    outbox.close();
    await env.storage.delete(`outbox.${USER}.b`);
    await outbox.open(USER);
    outbox.start();
    expect(await waiting).toMatchObject({ body: 'a' });
    await expect(other).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('shows a message at once, and lets go of it once it is stored', async () => {
    const [env, server] = [environment(), new Server()];
    const outbox = await opened(env, server);
    const stored = outbox.add(request('a'));
    expect(outbox.pending('room')).toMatchObject([{ state: 'queued', request: { body: 'a' } }]);
    expect((await stored).number).toBe(1);
    expect(outbox.pending()).toEqual([]);
    expect(await env.storage.keys('')).toEqual([]);
  });

  it('keeps a final refusal until it is retried or discarded, and goes on with the rest', async () => {
    const [env, server] = [environment(), new Server()];
    server.outcomes.push('forbidden');
    const outbox = await opened(env, server);
    const refused = outbox.add(request('a'));
    const next = outbox.add(request('b'));
    await expect(refused).rejects.toMatchObject({ code: 'forbidden' });
    await next;
    expect(outbox.pending()).toMatchObject([{ state: 'refused', error: { code: 'forbidden' } }]);

    const again = await opened(env, server);
    expect(again.pending()).toMatchObject([{ state: 'refused' }]);
    again.retry('a');
    await env.clock.pass(0);
    expect(server.bodies()).toEqual(['b', 'a']);

    server.outcomes.push('blocked');
    again.add(request('c')).catch(() => undefined);
    await env.clock.pass(0);
    expect(await again.discard('c')).toBe(true);
    expect(again.pending()).toEqual([]);
  });

  it('waits as long as the server says', async () => {
    const [env, server] = [environment(), new Server()];
    const transmit = jest
      .fn(server.transmit)
      .mockRejectedValueOnce(new ParleyError('rate_limited', 'Slowly.', { retryAfterMs: 60_000 }));
    const outbox = new Outbox(env, transmit);
    await outbox.open(USER);
    outbox.start();
    const stored = outbox.add(request('a'));
    await env.clock.pass(59_000);
    expect(transmit).toHaveBeenCalledTimes(1);
    await env.clock.pass(1_000);
    await stored;
  });

  it('gives up what fails inside the server again and again', async () => {
    const [env, server] = [environment(), new Server()];
    server.outcomes.push(...Array<ErrorCode>(5).fill('internal'));
    const outbox = await opened(env, server);
    const stored = outbox.add(request('a'));
    stored.catch(() => undefined);
    await env.clock.pass(120_000);
    await expect(stored).rejects.toMatchObject({ code: 'internal' });
  });

  it('knows from an event that a message has arrived', async () => {
    const [env, server] = [environment(), new Server()];
    const outbox = new Outbox(env, () => new Promise(() => undefined));
    await outbox.open(USER);
    outbox.start();
    const stored = outbox.add(request('a'));
    await settle();
    outbox.arrived({ ...(await server.transmit(request('a'))) });
    expect((await stored).number).toBe(1);
    expect(outbox.pending()).toEqual([]);
  });

  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), room: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(2_000) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('stop', 'start', 'restart') }) },
  );
  const outcome = fc.constantFrom(
    'ok',
    'ok',
    'lostAnswer',
    'unavailable',
    'rate_limited',
    'token_expired',
    'forbidden',
  );

  it('stores everything once and in order, over failures, disconnections and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.array(outcome, { maxLength: 60 }),
        async (steps, outcomes) => {
          const [env, server] = [environment(), new Server()];
          server.outcomes.push(...(outcomes as Server['outcomes']));
          let outbox = await opened(env, server);
          const added: string[][] = [[], []];
          let count = 0;
          for (const one of steps) {
            if (one.kind === 'add' && 'room' in one) {
              const id = `m${(count += 1)}`;
              added[one.room]!.push(id);
              outbox.add(request(id, `room${one.room}`)).catch(() => undefined);
              // Kept before it goes on its way; a crash before that loses what nobody was told to be safe.
              await settle();
            } else if (one.kind === 'pass' && 'ms' in one) await env.clock.pass(one.ms);
            else if (one.kind === 'stop') outbox.stop();
            else if (one.kind === 'start') outbox.start();
            else {
              outbox.close();
              outbox = await opened(env, server);
            }
          }
          outbox.start();
          await env.clock.pass(600_000);
          const refused = new Set(
            outbox.pending().map(({ request: { clientMessageId } }) => clientMessageId),
          );
          expect(outbox.pending().every(({ state }) => state === 'refused')).toBe(true);
          for (const [room, ids] of added.entries()) {
            expect(server.bodies(`room${room}`)).toEqual(ids.filter((id) => !refused.has(id)));
          }
          expect(await env.storage.keys('')).toHaveLength(refused.size);
        },
      ),
      { numRuns: 300 },
    );
  });
});

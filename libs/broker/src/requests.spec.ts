import { setTimeout as delay } from 'node:timers/promises';
import { commands, ParleyError, partitionOf, unavailable } from '@parley/contracts';
import { freshVhost } from '@parley/testing';
import { v7 } from 'uuid';
import { Moved } from './strategy';
import { Peer } from './testing/peer';

const conversationId = v7();
const partition = partitionOf(conversationId);
const alice = v7();

function readMark(number: number) {
  return { conversationId, actorId: alice, number };
}

describe('commands and queries', () => {
  let url: string;
  let peers: Peer[];
  const start = async (
    service: ConstructorParameters<typeof Peer>[1],
    ...rest: Parameters<Peer['start']>
  ) => {
    const peer = new Peer(url, service);
    peers.push(peer);
    return peer.start(...rest);
  };

  beforeEach(async () => {
    url = await freshVhost();
    peers = [];
  });
  afterEach(() => Promise.all(peers.map((peer) => peer.stop())));

  it('carry commands to the owner in the order of asking, and each answer to its asker', async () => {
    const seen: number[] = [];
    const owner = await start(
      'messaging',
      { commands: true },
      {
        'read.mark': ({ number }: { number: number }) => {
          seen.push(number);
          return { readNumber: number };
        },
      },
    );
    const asker = await start('realtime');
    const other = await start('history');
    owner.own({ [partition]: 1 });
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    const [answers, foreign] = await Promise.all([
      Promise.all(numbers.map((number) => asker.requester.command('read.mark', readMark(number)))),
      other.requester.command('read.mark', readMark(9999)),
    ]);
    expect(answers.map(({ readNumber }) => readNumber)).toEqual(numbers);
    expect(foreign).toEqual({ readNumber: 9999 });
    expect(seen.filter((number) => number < 9999)).toEqual(numbers);
  });

  it('hold commands while an owner is closing, and give them to its successor in order', async () => {
    const seen: [string, number][] = [];
    const serve = async (name: string) =>
      start(
        'messaging',
        { commands: true },
        {
          'read.mark': ({ number }: { number: number }) => {
            seen.push([name, number]);
            return { readNumber: number };
          },
        },
      );
    const [first, second, asker] = [await serve('first'), await serve('second'), await start('realtime')];
    first.own({ [partition]: 1 });
    await asker.requester.command('read.mark', readMark(1));
    const closing = new Promise<void>((resolve) => asker.control.on('owner', () => resolve()));
    first.own({}, { [partition]: 1 });
    await closing;
    const held = [2, 3, 4].map((number) => asker.requester.command('read.mark', readMark(number)));
    second.own({ [partition]: 2 });
    await Promise.all(held);
    expect(seen).toEqual([
      ['first', 1],
      ['second', 2],
      ['second', 3],
      ['second', 4],
    ]);
  });

  it('ask the present owner when the addressed one has moved', async () => {
    const former = await start(
      'messaging',
      { commands: true },
      {
        'read.mark': () => {
          throw new Moved();
        },
      },
    );
    const present = await start('messaging', { commands: true }, { 'read.mark': () => ({ readNumber: 7 }) });
    const asker = await start('realtime');
    former.own({ [partition]: 1 });
    const answer = asker.requester.command('read.mark', readMark(7));
    present.own({ [partition]: 2 });
    expect(await answer).toEqual({ readNumber: 7 });
  });

  it('answer unavailable within their time when nobody owns the partition, or nobody answers', async () => {
    const silent = await start(
      'messaging',
      { commands: true },
      { 'read.mark': () => new Promise(() => undefined) },
    );
    const asker = await start('realtime');
    await expect(asker.requester.command('read.mark', readMark(1))).rejects.toMatchObject({
      code: 'unavailable',
    });
    silent.own({ [partition]: 1 });
    await expect(asker.requester.command('read.mark', readMark(1))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('tell owners for how long their asker still waits, the time that they were held not counted', async () => {
    const left: number[] = [];
    const owner = await start(
      'messaging',
      { commands: true },
      {
        'read.mark': (_, { arrivedAt, expiresAt }) => {
          left.push(expiresAt - arrivedAt);
          return { readNumber: 1 };
        },
      },
    );
    const asker = await start('realtime');
    const heldMs = 300;
    const held = asker.requester.command('read.mark', readMark(1));
    await delay(heldMs);
    owner.own({ [partition]: 1 });
    await held;
    await asker.requester.command('read.mark', readMark(2));
    const [ofHeld = NaN, ofNext = NaN] = left;
    const { timeoutMs } = commands['read.mark'];
    expect(ofHeld).toBeLessThanOrEqual(timeoutMs - heldMs + 1);
    expect(ofNext).toBeLessThanOrEqual(timeoutMs);
    expect(ofNext).toBeGreaterThan(timeoutMs - heldMs);
  });

  it('say that a service is away when none of it has ever run', async () => {
    const asker = await start('realtime');
    await expect(asker.requester.query('presence.get', { userIds: [alice] })).rejects.toMatchObject({
      code: 'unavailable',
      message: 'The presence service is away.',
    });
  });

  it('pass refusals on as they are, and say nothing about defects', async () => {
    const refusals = [
      new ParleyError('conflict', 'no', { retryAfterMs: 5 }),
      unavailable('later'),
      new TypeError('secret'),
    ];
    const peer = await start(
      'presence',
      { queries: true },
      {
        'presence.get': () => {
          throw refusals.shift()!;
        },
      },
    );
    void peer;
    const asker = await start('realtime');
    const ask = () => asker.requester.query('presence.get', { userIds: [alice] });
    await expect(ask()).rejects.toMatchObject({ code: 'conflict', message: 'no', retryAfterMs: 5 });
    await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(ask()).rejects.toMatchObject({ code: 'internal', message: 'Internal error' });
  });

  it('refuse data that is not what the catalogue says', async () => {
    await start('presence', { queries: true }, { 'presence.get': () => ({ items: [] }) });
    const asker = await start('realtime');
    await expect(asker.requester.query('presence.get', { userIds: ['nobody'] })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it('are refused at once while the broker is away', async () => {
    const asker = new Peer(url, 'realtime');
    await expect(asker.requester.command('read.mark', readMark(1))).rejects.toMatchObject({
      code: 'unavailable',
    });
    asker.requester.stop();
  });
});

describe('membership', () => {
  it('hears who comes, and at once who leaves in order', async () => {
    const url = await freshVhost();
    const [one, two] = [new Peer(url, 'history'), new Peer(url, 'history')];
    const lists: string[][] = [];
    one.membership.onChange('history', (instances) => lists.push(instances));
    await one.start();
    const both = [one.instanceId, two.instanceId].sort();
    const isThere = new Promise<void>((resolve) =>
      one.membership.onChange('history', (instances) => instances.length === 2 && resolve()),
    );
    await two.start();
    await isThere;
    expect(lists).toEqual([[], [one.instanceId], both]);
    const isGone = new Promise<void>((resolve) =>
      one.membership.onChange('history', (instances) => instances.length === 1 && resolve()),
    );
    await two.stop();
    await isGone;
    await one.stop();
  });
});

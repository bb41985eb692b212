import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { commands, controlKeys, ParleyError, PARTITIONS, partitionOf, unavailable } from '@parley/contracts';
import { freshVhost } from '@parley/testing';
import { v7 } from 'uuid';
import { Broker } from './broker';
import { ControlInbox } from './control';
import { Requester } from './requester';
import { Moved } from './strategy';
import { Peer } from './testing/peer';
import type { OwnerAnnouncement } from './wire';

const conversationId = v7();
const partition = partitionOf(conversationId);
const alice = v7();

function readMark(number: number) {
  return { conversationId, actorId: alice, number };
}

/** Hears announcements in the tick in which a test wants them heard, too. */
class Overheard extends ControlInbox {
  private readonly heard: ((body: unknown) => void)[] = [];

  override on(key: string, listener: (body: unknown) => void): void {
    super.on(key, listener);
    if (key === controlKeys.owner) this.heard.push(listener);
  }

  tell(announcement: OwnerAnnouncement): void {
    for (const listener of this.heard) listener(announcement);
  }
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

  it('stay with the present owner when a former one says late that it has moved', async () => {
    const seen: number[] = [];
    const events = new EventEmitter();
    const [isRefused, isAnswered] = [once(events, 'refuse'), once(events, 'answer')];
    const former = await start(
      'messaging',
      { commands: true, queries: true },
      {
        'read.mark': async () => {
          events.emit('asked');
          await isRefused;
          throw new Moved();
        },
        'messaging.epoch': () => ({ epoch: 'one', partitions: PARTITIONS }),
      },
    );
    const present = await start(
      'messaging',
      { commands: true },
      {
        'read.mark': async ({ number }: { number: number }) => {
          seen.push(number);
          events.emit('taken');
          if (number === 1) await isAnswered;
          return { readNumber: number };
        },
      },
    );
    const asker = await start('realtime');
    const [isAsked, isTaken] = [once(events, 'asked'), once(events, 'taken')];
    former.own({ [partition]: 1 });
    const first = asker.requester.command('read.mark', readMark(1));
    await isAsked;
    present.own({ [partition]: 2 });
    await isTaken;
    events.emit('refuse');
    // Answered behind the refusal, so that has been heard.
    await asker.requester.query('messaging.epoch', {});
    expect(await asker.requester.command('read.mark', readMark(2))).toEqual({ readNumber: 2 });
    const isHeard = new Promise<void>((resolve) => asker.control.on('owner', () => resolve()));
    present.own({ [partition]: 2 });
    await isHeard;
    expect(await asker.requester.command('read.mark', readMark(3))).toEqual({ readNumber: 3 });
    events.emit('answer');
    expect(await first).toEqual({ readNumber: 1 });
    expect(seen).toEqual([1, 2, 3]);
  });

  it('name the term that their owner had, though a successor is heard before the envelope leaves', async () => {
    const terms: Record<string, number[]> = { former: [], present: [] };
    const serve = (name: string) =>
      start(
        'messaging',
        { commands: true },
        {
          'read.mark': (_, { term }) => {
            terms[name]!.push(term);
            if (name === 'former') throw new Moved();
            return { readNumber: 1 };
          },
        },
      );
    const [former, present] = [await serve('former'), await serve('present')];
    const broker = new Broker({ ...former.broker.options, service: 'realtime', instanceId: randomUUID() });
    const control = new Overheard(broker);
    const requester = new Requester(broker, control);
    broker.start();
    await broker.whenConnected();
    control.tell({ v: 1, instanceId: former.instanceId, open: { [partition]: 1 }, closing: {} });
    const answer = requester.command('read.mark', readMark(1));
    control.tell({ v: 1, instanceId: present.instanceId, open: { [partition]: 2 }, closing: {} });
    expect(await answer).toEqual({ readNumber: 1 });
    expect(terms).toEqual({ former: [1], present: [2] });
    requester.stop();
    await broker.stop();
  });

  it('are answered by one that closes, if it has taken them, and else by another', async () => {
    const events = new EventEmitter();
    const [isAsked, mayAnswer] = [once(events, 'asked'), once(events, 'answer')];
    const taken: string[] = [];
    const serve = (name: string) => ({
      'messaging.epoch': async () => {
        taken.push(name);
        events.emit('asked');
        if (name === 'leaving') await mayAnswer;
        return { epoch: name, partitions: PARTITIONS };
      },
    });
    const leaving = await start('messaging', { queries: true }, serve('leaving'));
    const asker = await start('realtime');
    const first = asker.requester.query('messaging.epoch', {});
    await isAsked;
    const closed = leaving.strategy!.close();
    await start('messaging', { queries: true }, serve('staying'));
    const asked = Array.from({ length: 20 }, () => asker.requester.query('messaging.epoch', {}));
    expect(new Set((await Promise.all(asked)).map(({ epoch }) => epoch))).toEqual(new Set(['staying']));
    events.emit('answer');
    expect(await first).toEqual({ epoch: 'leaving', partitions: PARTITIONS });
    await closed;
    expect(taken.filter((name) => name === 'leaving')).toHaveLength(1);
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

  it('and their answers cost nobody the connection, however much one tick brings of them', async () => {
    const many = 40;
    let seen = 0;
    const events = new EventEmitter();
    const areAllThere = once(events, 'all');
    const owner = await start(
      'messaging',
      { commands: true },
      {
        'message.send': async ({ body }: { body: string }) => {
          if (++seen === many) events.emit('all');
          await areAllThere;
          return { message: { body }, created: true };
        },
        'read.mark': ({ number }: { number: number }) => ({ readNumber: number }),
      },
    );
    const asker = await start('realtime');
    const losses: string[] = [];
    for (const { broker } of [owner, asker])
      broker.on('disconnected', () => losses.push(broker.options.service));
    const isHeard = new Promise<void>((resolve) => asker.control.on('owner', () => resolve()));
    owner.own({ [partition]: 1 });
    await isHeard;
    const message = { conversationId, actorId: alice, body: 'x'.repeat(450_000), format: 'plain' as const };
    const asked = Array.from({ length: many }, (_, i) =>
      asker.requester.command('message.send', {
        ...message,
        clientMessageId: `${i}`,
        mentions: [],
        attachments: [],
      }),
    );
    // A slow machine may carry them too late, but carries all of them.
    const [outcomes] = await Promise.all([Promise.allSettled(asked), areAllThere]);
    for (let isAnswered = false; !isAnswered;)
      isAnswered = await asker.requester.command('read.mark', readMark(1)).then(
        () => true,
        () => false,
      );
    expect(losses).toEqual([]);
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [(outcome.reason as ParleyError).message] : [],
    );
    expect(reasons.filter((reason) => !reason.startsWith('No answer in time'))).toEqual([]);
  });

  it('fail alone where nothing can carry their answer', async () => {
    let characters = 20_000_000;
    const peer = await start(
      'presence',
      { queries: true },
      { 'presence.get': () => ({ items: [], more: 'x'.repeat(characters) }) },
    );
    const asker = await start('realtime');
    let isLost = false;
    peer.broker.on('disconnected', () => (isLost = true));
    const ask = () => asker.requester.query('presence.get', { userIds: [alice] });
    await expect(ask()).rejects.toMatchObject({ code: 'internal', message: 'The answer is too large.' });
    characters = 1;
    expect(await ask()).toMatchObject({ items: [] });
    expect(peer.tooLarge).toBe(1);
    expect(peer.broker.publish('', 'nobody', 'x'.repeat(20_000_000))).toBe(false);
    expect(peer.tooLarge).toBe(2);
    expect(isLost).toBe(false);
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

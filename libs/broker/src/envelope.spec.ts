import { once } from 'node:events';
import { controlKeys, type EnvelopeKind, envelopes, exchanges, queues } from '@parley/contracts';
import { freshVhost } from '@parley/testing';
import { EnvelopeReader } from './envelope';
import type { ReplyEnvelope } from './wire';
import { Peer } from './testing/peer';

const { written } = envelopes.requests;

describe('what is nothing of its kind', () => {
  const logger = { info() {}, warn() {}, error() {} };
  const refused: string[] = [];
  const reader = new EnvelopeReader({
    logger,
    onRefused: (kind, reason) => refused.push(`${kind} ${reason}`),
  });
  const judge = (kind: EnvelopeKind, body: unknown) =>
    reader.open(kind, Buffer.from(JSON.stringify(body))).refusal;
  afterEach(() => refused.splice(0));

  const epoch = 'one';
  const cases: [kind: EnvelopeKind, sound: unknown, malformed: unknown[]][] = [
    [
      'requests',
      { requests: [[1, -1, 0, 'auth.users', {}]] },
      [{ requests: {} }, { requests: [null] }, { requests: [{}] }],
    ],
    [
      'replies',
      {
        replies: [
          [1, 0, null],
          [2, 1, { code: 'internal' }],
          [3, 2],
        ],
      },
      [{ replies: 1 }, { replies: [null] }, { replies: [[1, 1]] }, { replies: [[1, 1, 'text']] }],
    ],
    [
      'events',
      { epoch, partitions: [{ partition: 1, rows: [{ position: 1 }] }] },
      [
        { partitions: [] },
        { epoch, partitions: {} },
        { epoch, partitions: [null] },
        { epoch, partitions: [{ rows: [] }] },
        { epoch, partitions: [{ partition: 1 }] },
        { epoch, partitions: [{ partition: 1, rows: [null] }] },
        { epoch, partitions: [{ partition: 1, rows: [{ position: '1' }] }] },
      ],
    ],
    [
      'heads',
      { epoch, heads: { 1: 7 } },
      [{ heads: {} }, { epoch }, { epoch, heads: null }, { epoch, heads: { 1: '7' } }],
    ],
    ['digest', { epoch, versions: {} }, [{ versions: {} }, { epoch }, { epoch, versions: { a: null } }]],
    [
      'owner',
      { instanceId: 'a', open: { 1: 1 }, closing: {} },
      [
        { open: {}, closing: {} },
        { instanceId: 'a', open: {} },
        { instanceId: 'a', closing: {}, open: { 1: 'one' } },
      ],
    ],
    ['member', { service: 'auth', instanceId: 'a' }, [{ service: 'auth' }, { instanceId: 'a' }]],
    ['users', { kind: 'of a later release' }, [{ kind: 7 }]],
    ['accounts', { kind: 'of a later release' }, [{ kind: null }]],
    ['connections', { v: 2, items: [null] }, [{ items: {} }]],
    ['presence', [{ userId: 'a' }], [[null], { items: [7] }]],
  ];

  it.each(cases)('is refused as malformed: %s', (kind, sound, malformed) => {
    expect(judge(kind, sound)).toBeUndefined();
    expect(refused).toEqual([]);
    const never = [{}, null, 7, 'text', { v: '1' }, ...malformed];
    for (const body of never) expect([body, judge(kind, body)]).toEqual([body, 'malformed']);
    expect(refused).toEqual(never.map(() => `${kind} malformed`));
  });

  it.each(cases.map(([kind]) => kind))('a list without entries is one of a list alone: %s', (kind) => {
    const isList = kind === 'connections' || kind === 'presence';
    expect(judge(kind, [])).toBe(isList ? undefined : 'malformed');
  });

  it('is not what has another version: that may have another shape', () => {
    expect(judge('events', { v: 99 })).toBe('tooNew');
    expect(judge('heads', { v: 0 })).toBe('outdated');
  });
});

describe('envelopes of other versions', () => {
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

  /** Puts envelopes into the queue of auth's queries and gives the answers by the id of each request. */
  async function ask(asker: Peer, asked: object[]): Promise<Map<number, unknown>> {
    const answers = new Map<number, unknown>();
    return new Promise((resolve) => {
      void asker.broker.onConnection(async (connection) => {
        const channel = await connection.createChannel();
        const { queue } = await channel.assertQueue('', { exclusive: true });
        await channel.consume(
          queue,
          (message) => {
            const { replies } = JSON.parse(message!.content.toString()) as ReplyEnvelope;
            for (const [id, status, said] of replies) answers.set(id, { status, said });
            if (answers.size === asked.length) resolve(answers);
          },
          { noAck: true },
        );
        for (const envelope of asked)
          asker.broker.publish('', queues.queries('auth').name, JSON.stringify(envelope), { replyTo: queue });
      });
    });
  }

  it('requests of neighbouring ones are answered, others refused by a word about the version', async () => {
    await start('auth', { queries: true }, { 'auth.users': () => ({ users: [] }) });
    const asker = await start('history');
    const request = (id: number) => [[id, -1, 0, 'auth.users', { ids: [] }]];
    const answers = await ask(asker, [
      { requests: request(1) },
      { v: written, requests: request(2), colour: 'of the next release' },
      { v: written + 1, requests: request(3) },
      { v: written + 2, requests: request(4) },
    ]);
    for (const id of [1, 2, 3]) expect(answers.get(id)).toEqual({ status: 0, said: { users: [] } });
    expect(answers.get(4)).toMatchObject({
      status: 1,
      said: { code: 'unavailable', message: expect.stringContaining(`version ${written + 2}`) as string },
    });
  });

  it('a durable event that is too new waits in its queue, an outdated one does not', async () => {
    const heard: unknown[] = [];
    const queue = queues.accounts('notification');
    const reader = await start(
      'notification',
      { subscriptions: [{ exchange: 'accounts', queue, keys: ['#'] }] },
      { [exchanges.accounts.name]: (body: unknown) => heard.push(body) },
    );
    const refused = once(reader.broker, 'refused');
    const tell = (body: object) =>
      reader.broker.publishConfirmed(exchanges.accounts.name, 'user.changed', body);
    await tell({ v: 0 });
    await refused;
    const second = once(reader.broker, 'refused');
    await tell({ v: 99 });
    await second;
    expect(reader.refused).toEqual(['accounts outdated', 'accounts tooNew']);
    expect(heard).toEqual([]);
    await reader.stop();
    const other = await start('presence');
    const waiting = await new Promise<number>((resolve) => {
      void other.broker.onConnection(async (connection) => {
        const channel = await connection.createChannel();
        resolve((await channel.checkQueue(queue.name)).messageCount);
      });
    });
    expect(waiting).toBe(1);
  });

  it('what is no envelope harms nobody', async () => {
    const reader = await start('auth', { queries: true }, { 'auth.users': () => ({ users: [] }) });
    const asker = await start('history');
    asker.broker.publish('', queues.queries('auth').name, 'nonsense', { replyTo: 'nobody' });
    asker.broker.publish(exchanges.control.name, controlKeys.owner, '[');
    asker.broker.publish('', queues.replies('auth', reader.instanceId).name, '7');
    for (const body of ['{}', '[]', '{"requests":[null]}', `{"v":99,"requests":[null]}`])
      asker.broker.publish('', queues.queries('auth').name, body, { replyTo: 'nobody' });
    asker.broker.publish('', queues.replies('auth', reader.instanceId).name, '{"replies":[null]}');
    for (const key of [controlKeys.owner, controlKeys.member('auth')])
      asker.broker.publish(exchanges.control.name, key, '{}');
    expect(await asker.requester.query('auth.users', { ids: [] })).toEqual({ users: [] });
  });
});

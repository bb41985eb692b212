import { randomUUID } from 'node:crypto';
import type { Message, MessagePage, Problem, SyncResult } from '@parley/contracts';
import { freshDatabase, freshVhost, interruptible, type Interruptible } from '@parley/testing';
import { HistoryUnderTest } from './testing/history';
import { MessagingPeer } from './testing/messaging.peer';

let database: Interruptible;
let broker: Interruptible;
let peer: MessagingPeer;
let history: HistoryUnderTest;
let alice: string;
let bob: string;
let mallory: string;

beforeAll(async () => {
  const amqpUrl = await freshVhost();
  database = await interruptible(await freshDatabase());
  peer = await MessagingPeer.start(amqpUrl);
  broker = await interruptible(amqpUrl);
  history = await HistoryUnderTest.start(database.url, broker.url);
  await history.ready(200);
});

afterAll(async () => {
  await history.service.close();
  await peer.stop();
  await database.close();
  await broker.close();
});

beforeEach(() => {
  [alice, bob, mallory] = [randomUUID(), randomUUID(), randomUUID()];
  peer.asked = [];
});

/** Resolves once the view holds everything that was written of the conversation. */
async function settled(id: string, userId = alice): Promise<void> {
  peer.publish();
  const { conversation } = peer.log.of(id);
  for (;;) {
    const path = `/v1/conversations/${id}/messages?atLeast=${conversation.version}&limit=1`;
    const { status } = await history.get(userId, path);
    if (status === 200) return;
    if (status !== 503) throw new Error(`the view answered ${status}`);
  }
}

function talk(messages: number): string {
  const id = peer.log.create('group', [alice, bob]);
  for (let i = 1; i <= messages; i += 1) peer.log.send(id, alice, `message ${i}`);
  return id;
}

const numbers = (page: { items: Message[] }) => page.items.map((message) => message.number);

describe('pages', () => {
  it('are the newest without anything asked, and reach back', async () => {
    const id = talk(120);
    await settled(id);

    const newest = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
    expect(newest.status).toBe(200);
    expect(newest.body).toMatchObject({ hasBefore: true, hasAfter: false });
    expect(newest.body.items).toEqual([...peer.log.of(id).messages.values()].slice(70));

    const before = await history.get<MessagePage>(
      bob,
      `/v1/conversations/${id}/messages?before=71&limit=100`,
    );
    expect(before.body).toMatchObject({ hasBefore: false, hasAfter: true });
    expect(numbers(before.body)).toEqual(Array.from({ length: 70 }, (_, i) => i + 1));
  });

  it.each([
    ['before=1', [], false, true],
    ['before=4&limit=2', [2, 3], true, true],
    ['before=99', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false, false],
    ['after=0&limit=3', [1, 2, 3], false, true],
    ['after=8', [9, 10], true, false],
    ['after=10', [], true, false],
    ['around=5&limit=3', [4, 5, 6], true, true],
    ['around=1&limit=4', [1, 2, 3, 4], false, true],
    ['around=10&limit=4', [7, 8, 9, 10], true, false],
    ['around=0&limit=2', [1, 2], false, true],
    ['around=999&limit=2', [9, 10], true, false],
    ['limit=100', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], false, false],
  ])('%s', async (query, expected, hasBefore, hasAfter) => {
    const id = talk(10);
    await settled(id);

    const { body } = await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages?${query}`);

    expect(numbers(body)).toEqual(expected);
    expect(body).toMatchObject({ hasBefore, hasAfter });
  });

  it('are found by time', async () => {
    const id = talk(10);
    await settled(id);
    const at = peer.log.of(id).messages.get(5)?.createdAt;
    const read = async (query: string) =>
      numbers((await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages?${query}`)).body);

    expect(await read(`at=${at}&limit=3`)).toEqual([4, 5, 6]);
    expect(await read('at=1999-01-01T00:00:00Z&limit=2')).toEqual([1, 2]);
    expect(await read('at=0000-01-01T00:00:00.000001Z&limit=2')).toEqual([1, 2]);
    expect(await read('at=2999-01-01T00:00:00Z&limit=2')).toEqual([9, 10]);
  });

  it('are empty in a new conversation', async () => {
    const id = talk(0);
    await settled(id);

    for (const query of ['', '?before=5', '?after=5', '?around=5', '?at=2026-01-01T00:00:00Z']) {
      const { body } = await history.get<MessagePage>(alice, `/v1/conversations/${id}/messages${query}`);
      expect(body).toEqual({ items: [], hasBefore: false, hasAfter: false });
    }
  });

  it('wait for the version asked for, and say so when it does not come', async () => {
    const id = talk(1);
    await settled(id);
    const path = `/v1/conversations/${id}/messages`;

    const waiting = history.get<MessagePage>(alice, `${path}?atLeast=3`);
    peer.log.send(id, bob, 'late');
    peer.publish();
    expect(numbers((await waiting).body)).toEqual([1, 2]);

    const refused = await history.get(alice, `${path}?atLeast=900000`);
    expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(refused.headers.get('retry-after')).not.toBeNull();
  });
});

describe('one message', () => {
  it('comes with its thread', async () => {
    const id = talk(1);
    const root = peer.log.of(id).messages.get(1) as Message;
    const replies = [1, 2, 3].map((i) => peer.log.send(id, bob, `reply ${i}`, { threadId: root.id }));
    await settled(id);
    const path = `/v1/conversations/${id}/messages/${root.id}`;

    expect((await history.get<object>(bob, path)).body).toEqual({ message: root });
    const first = await history.get<{ items: Message[]; nextCursor: string }>(bob, `${path}/thread?limit=2`);
    expect(first.body.items).toEqual(replies.slice(0, 2));
    const second = await history.get<object>(bob, `${path}/thread?limit=2&cursor=${first.body.nextCursor}`);
    expect(second.body).toEqual({ items: replies.slice(2), nextCursor: null });
  });

  it('is not found in another conversation, nor when it does not exist', async () => {
    const id = talk(1);
    const other = talk(1);
    const foreign = peer.log.of(other).messages.get(1) as Message;
    await settled(id);
    await settled(other);

    for (const path of [foreign.id, randomUUID(), `${randomUUID()}/thread`]) {
      const answer = await history.get(alice, `/v1/conversations/${id}/messages/${path}`);
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });

  it('is a tombstone once it is deleted', async () => {
    const id = talk(1);
    const gone = peer.log.deleteMessage(id, 1);
    await settled(id);

    const { body } = await history.get<{ message: Message }>(
      alice,
      `/v1/conversations/${id}/messages/${gone.id}`,
    );

    expect(body.message).toEqual(gone);
    expect(body.message.body).toBeNull();
  });
});

it('lists pins, the newest message first', async () => {
  const id = talk(5);
  for (const number of [4, 1, 3]) peer.log.pin(id, number, true);
  await settled(id);
  const path = `/v1/conversations/${id}/pins`;

  const first = await history.get<{ items: Message[]; nextCursor: string }>(alice, `${path}?limit=2`);
  expect(numbers(first.body)).toEqual([4, 3]);
  const second = await history.get<{ items: Message[] }>(alice, `${path}?cursor=${first.body.nextCursor}`);
  expect(numbers(second.body)).toEqual([1]);
});

describe('permissions', () => {
  const reads = (id: string, messageId: string) => [
    `/v1/conversations/${id}/messages`,
    `/v1/conversations/${id}/messages/${messageId}`,
    `/v1/conversations/${id}/messages/${messageId}/thread`,
    `/v1/conversations/${id}/pins`,
  ];

  it('hide a conversation from whoever is not in it, as if it did not exist', async () => {
    const id = talk(1);
    const message = peer.log.of(id).messages.get(1) as Message;
    await settled(id);

    const [hidden, missing] = await Promise.all(
      [reads(id, message.id), reads(randomUUID(), message.id)].map((paths) =>
        Promise.all(paths.map((path) => history.get(mallory, path))),
      ),
    );

    const seen = (answers: typeof hidden = []) =>
      answers.map(({ status, body }) => [status, { ...body, requestId: undefined }]);
    expect(seen(hidden)).toEqual(seen(missing));
    for (const { status } of hidden ?? []) expect(status).toBe(404);
  });

  it('let everybody preview a public channel, until it becomes private', async () => {
    const id = peer.log.create('channel', [alice], { visibility: 'public' });
    const message = peer.log.send(id, alice, 'for all');
    await settled(id);
    peer.asked = [];
    for (const path of reads(id, message.id)) expect((await history.get(mallory, path)).status).toBe(200);
    expect(peer.asked).toEqual([]);

    peer.log.publish(id, 'private');
    await settled(id);

    for (const path of reads(id, message.id)) expect((await history.get(mallory, path)).status).toBe(404);
  });

  it('end with the membership', async () => {
    const id = talk(1);
    await settled(id);
    expect((await history.get(bob, `/v1/conversations/${id}/messages`)).status).toBe(200);

    peer.log.removeMember(id, bob);
    await settled(id);

    expect((await history.get(bob, `/v1/conversations/${id}/messages`)).status).toBe(404);
  });

  it('end with the conversation', async () => {
    const id = talk(1);
    await settled(id);
    peer.log.deleteConversation(id);
    peer.publish();

    for (;;) {
      const { status } = await history.get(alice, `/v1/conversations/${id}/messages`);
      if (status === 404) break;
      expect(status).toBe(200);
    }
  });

  it('ask messaging once before they refuse, for the event may be on its way', async () => {
    const id = talk(1);
    await settled(id);
    peer.log.addMember(id, mallory);
    peer.asked = [];

    const { status } = await history.get(mallory, `/v1/conversations/${id}/messages`);

    expect(status).toBe(200);
    expect(peer.asked).toEqual([{ userId: mallory, conversationIds: [id] }]);
  });

  it('need a token', async () => {
    const id = talk(1);
    for (const path of reads(id, randomUUID())) {
      expect(await history.get(undefined, path)).toMatchObject({
        status: 401,
        body: { code: 'unauthenticated' },
      });
    }
    expect((await history.post(undefined, '/v1/sync', {})).status).toBe(401);
  });
});

describe('malformed input', () => {
  const uuid = randomUUID();

  it.each([
    ['/v1/conversations/not-an-id/messages', 'conversationId'],
    [`/v1/conversations/${uuid.toUpperCase()}/messages`, 'conversationId'],
    [`/v1/conversations/${uuid}/messages/1`, 'messageId'],
    [`/v1/conversations/${uuid}/messages/%00`, 'messageId'],
    [`/v1/conversations/${uuid}/messages/${uuid}?atLeast=x`, 'atLeast'],
    [`/v1/conversations/${uuid}/messages/${uuid}?before=1`, ''],
    [`/v1/conversations/x/messages/${uuid}/thread`, 'conversationId'],
    [`/v1/conversations/${uuid}/messages/${uuid}/thread?limit=101`, 'limit'],
    [`/v1/conversations/${uuid}/messages/${uuid}/thread?cursor=`, 'cursor'],
    [`/v1/conversations/${uuid}/messages/${uuid}/thread?cursor=abc`, 'cursor'],
    [`/v1/conversations/${uuid}/pins?cursor=bjE=`, 'cursor'],
    [`/v1/conversations/${uuid}/pins?cursor=a&cursor=b`, 'cursor'],
    [`/v1/conversations/${uuid}/pins?limit=0`, 'limit'],
    [`/v1/conversations/${uuid}/messages?limit=0`, 'limit'],
    [`/v1/conversations/${uuid}/messages?limit=-1`, 'limit'],
    [`/v1/conversations/${uuid}/messages?limit=1e3`, 'limit'],
    [`/v1/conversations/${uuid}/messages?limit=5&limit=6`, 'limit'],
    [`/v1/conversations/${uuid}/messages?before=-1`, 'before'],
    [`/v1/conversations/${uuid}/messages?after=9999999999999999999`, 'after'],
    [`/v1/conversations/${uuid}/messages?around=1.5`, 'around'],
    [`/v1/conversations/${uuid}/messages?around[]=1`, ''],
    [`/v1/conversations/${uuid}/messages?at=yesterday`, 'at'],
    [`/v1/conversations/${uuid}/messages?at=2026-02-30T00:00:00Z`, 'at'],
    [`/v1/conversations/${uuid}/messages?before=1&after=2`, ''],
    [`/v1/conversations/${uuid}/messages?atLeast=`, 'atLeast'],
    [`/v1/conversations/${uuid}/messages?unknown=1`, ''],
  ])('%s', async (path, field) => {
    const { status, body } = await history.get(alice, path);

    expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid_request' });
    expect(body.errors?.map((error) => error.path)).toContain(field);
  });

  it.each<[string, unknown]>([
    ['no body', ''],
    ['no JSON', '{'],
    ['a list', []],
    ['no versions', { epoch: null, accountCursor: null }],
    ['a number as epoch', { epoch: 1, accountCursor: null, versions: {} }],
    ['an empty cursor', { epoch: null, accountCursor: '', versions: {} }],
    ['a name that is no id', { epoch: null, accountCursor: null, versions: { x: 1 } }],
    ['a negative version', { epoch: null, accountCursor: null, versions: { [uuid]: -1 } }],
    ['a version of text', { epoch: null, accountCursor: null, versions: { [uuid]: '1' } }],
    ['a broken version', { epoch: null, accountCursor: null, versions: { [uuid]: 1.5 } }],
    ['a limit beyond the bound', { epoch: null, accountCursor: null, versions: {}, limit: 501 }],
    ['an unknown field', { epoch: null, accountCursor: null, versions: {}, more: 1 }],
    [
      'too many conversations',
      {
        epoch: null,
        accountCursor: null,
        versions: Object.fromEntries(Array.from({ length: 501 }, () => [randomUUID(), 0])),
      },
    ],
  ])('sync with %s', async (_name, payload) => {
    expect(await history.post(alice, '/v1/sync', payload)).toMatchObject({
      status: 400,
      body: { code: 'invalid_request' },
    });
  });
});

describe('sync over HTTP', () => {
  it('puts the conversations and the account together', async () => {
    const id = talk(3);
    const left = peer.log.create('group', [bob]);
    await settled(id);

    const { status, body } = await history.post<SyncResult>(alice, '/v1/sync', {
      epoch: peer.epoch,
      accountCursor: 'cursor-1',
      versions: { [id]: 2, [left]: 1 },
    });

    expect(status).toBe(200);
    expect(body).toEqual({
      epoch: peer.epoch,
      account: { cursor: 'cursor-2', more: false, changes: [] },
      conversations: [
        {
          id,
          version: 4,
          head: 4,
          more: false,
          reset: false,
          messages: [...peer.log.of(id).messages.values()].slice(1),
          members: [],
          membersRemoved: [],
        },
      ],
      removed: [left],
    });
  });

  it('asks for all of the account when the epoch is another', async () => {
    const foreign = peer.log.create('group', [bob]);

    const { body } = await history.post<SyncResult>(alice, '/v1/sync', {
      epoch: 'another',
      accountCursor: 'cursor-1',
      versions: {},
    });

    expect(body.account.changes).toContainEqual({ state: 'left', conversationId: foreign });
  });
});

describe('trouble', () => {
  it('a broken event makes its conversation alone unavailable', async () => {
    const id = talk(1);
    const other = talk(1);
    await settled(id);
    peer.breakEvent(id, { kind: 'message.created', version: 'three' });
    peer.log.send(other, alice, 'goes on');
    await settled(other);
    peer.publish();

    for (;;) {
      const { status, body } = await history.get<Problem>(alice, `/v1/conversations/${id}/messages`);
      if (status === 503) {
        expect(body.code).toBe('unavailable');
        break;
      }
    }
    expect((await history.get(mallory, `/v1/conversations/${id}/messages`)).status).toBe(404);
    const { body } = await history.post<SyncResult>(alice, '/v1/sync', {
      epoch: peer.epoch,
      accountCursor: null,
      versions: { [id]: 1, [other]: 0 },
    });
    expect(body.conversations).toMatchObject([
      { id, version: 1, more: true, retryAfterMs: expect.any(Number), messages: [] },
      { id: other, version: 3, more: false },
    ]);
  });

  it('a lost event is fetched from the log', async () => {
    const id = talk(1);
    await settled(id);
    peer.log.send(id, alice, 'lost');
    peer.skip();
    peer.log.send(id, alice, 'heard');

    await settled(id);

    const { body } = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
    expect(numbers(body)).toEqual([1, 2, 3]);
  });

  it.each(['cut', 'freeze'] as const)(
    'a database that is gone (%s) is said so, and comes back',
    async (outage) => {
      const id = talk(1);
      await settled(id);

      await database[outage]();
      const started = performance.now();
      const answer = await history.get(alice, `/v1/conversations/${id}/messages`);
      expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      expect(performance.now() - started).toBeLessThan(2500);
      expect(
        (await history.post(alice, '/v1/sync', { epoch: null, accountCursor: null, versions: { [id]: 0 } }))
          .status,
      ).toBe(503);
      await history.ready(503);
      peer.log.send(id, bob, 'while you were away');
      peer.publish();

      await database.restore();
      await history.ready(200);
      await settled(id);
      const { body } = await history.get<MessagePage>(bob, `/v1/conversations/${id}/messages`);
      expect(numbers(body)).toEqual([1, 2]);
    },
  );

  it('without the broker, members read on and strangers hear that it is unavailable', async () => {
    const id = talk(1);
    await settled(id);
    const path = `/v1/conversations/${id}/messages`;

    await broker.cut();
    await history.ready(503);
    expect((await history.get(alice, path)).status).toBe(200);
    expect(await history.get(mallory, path)).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    const payload = { epoch: peer.epoch, accountCursor: null, versions: { [id]: 1 } };
    expect(await history.post(alice, '/v1/sync', payload)).toMatchObject({
      status: 503,
      body: { code: 'unavailable' },
    });
    peer.log.send(id, bob, 'while you were away');
    peer.publish();

    await broker.restore();
    await history.ready(200);
    await settled(id);
    expect((await history.post(alice, '/v1/sync', payload)).status).toBe(200);
    expect((await history.get(mallory, path)).status).toBe(404);
  });
});

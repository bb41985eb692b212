import { randomUUID } from 'node:crypto';
import { HistoryUnderTest } from './testing/history';
import { World } from './testing/world';

let world: World;
let history: HistoryUnderTest;
let alice: string;

beforeAll(async () => {
  world = await World.start();
  ({ history, alice } = world);
});

afterAll(() => world.stop());

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

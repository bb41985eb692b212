import { randomUUID } from 'node:crypto';
import type { ServerPayload, SyncResult } from '@parley/contracts';
import { Replica } from './replica';

const id = randomUUID();

function ready(version: number) {
  return { epoch: 'e', accountCursor: 'c', conversations: [{ id, version }] } as ServerPayload<'ready'>;
}

function created(version: number) {
  return { conversationId: id, version } as ServerPayload<'message:created'>;
}

function page(version: number, messages: number[], more = false) {
  return {
    epoch: 'e',
    account: { cursor: 'd', more: false, changes: [] },
    conversations: [{ id, version, more, messages: messages.map((one) => ({ version: one })) }],
    removed: [],
  } as unknown as SyncResult;
}

test('a gap is seen, and filled by sync; each message counts once', () => {
  const replica = new Replica();
  replica.onReady(ready(2));
  expect(replica.question().versions).toEqual({ [id]: 0 });
  expect(replica.onSynced(page(2, [2]))).toBeUndefined();
  replica.onMessage(created(3));
  replica.onMessage(created(3));
  expect(replica.isBehind).toBe(false);
  replica.onMessage(created(5));
  expect(replica.isBehind).toBe(true);
  expect(replica.onSynced(page(4, [3, 4], true))).toBe(0);
  expect(replica.onSynced(page(5, [5]))).toBeUndefined();
  // Read after the head: it comes again.
  replica.onPosition({ versions: { [id]: 6 } });
  expect(replica.onSynced(page(6, [6, 7]))).toBeUndefined();
  replica.onMessage(created(7));
  expect(replica.messagesIn(id)).toBe(6);
});

test('a digest shows that the last message was lost', () => {
  const replica = new Replica();
  replica.onReady(ready(1));
  replica.onSynced(page(1, []));
  replica.onPosition({ versions: { [id]: 2 } });
  expect(replica.isBehind).toBe(true);
});

test('what came too early waits for sync, and makes another one needless', () => {
  const replica = new Replica();
  replica.onReady(ready(1));
  replica.onSynced(page(1, []));
  for (const version of [4, 3, 6]) replica.onMessage(created(version));
  expect(replica.isBehind).toBe(true);
  // The page was read before 3 came, and 5 is still missing.
  expect(replica.onSynced(page(2, [2]))).toBe(0);
  expect(replica.question().versions).toEqual({ [id]: 4 });
  expect(replica.onSynced(page(5, [5]))).toBeUndefined();
  expect(replica.question().versions).toEqual({ [id]: 6 });
  expect(replica.messagesIn(id)).toBe(5);
});

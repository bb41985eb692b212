import type {
  ConversationDelta,
  Message,
  MyConversation,
  ServerPayload,
  SyncResult,
} from '@parley/contracts';
import { Replica } from './replica';

const id = 'c1';
const at = '2026-01-01T00:00:00.000Z';

function message(number: number, version: number, body = `body ${number}`): Message {
  return {
    ...{
      id: `m${number}`,
      conversationId: id,
      number,
      version,
      senderId: 'a',
      clientMessageId: `x${number}`,
    },
    ...{ body, format: 'plain' as const, mentions: [], attachments: [], reactions: [], pinned: false },
    createdAt: at,
  };
}

function ready(version: number, epoch = 'e1'): ServerPayload<'ready'> {
  const conversations = [{ id, version } as MyConversation];
  return { epoch, conversations } as ServerPayload<'ready'>;
}

function created(number: number, version: number): ServerPayload<'message:created'> {
  return { conversationId: id, version, message: message(number, version) };
}

function page(delta: Partial<ConversationDelta>, rest: Partial<SyncResult> = {}): SyncResult {
  const whole = { id, version: 0, head: 0, more: false, reset: false, messages: [], members: [] };
  return {
    epoch: 'e1',
    account: { cursor: 'k1', more: false, changes: [] },
    conversations: [{ ...whole, membersRemoved: [], ...delta }],
    removed: [],
    ...rest,
  };
}

/** A replica that stands at version 3, with two messages. */
function standing(): Replica {
  const replica = new Replica('me');
  replica.ready(ready(3));
  replica.syncRequest();
  replica.synced(
    page({ version: 3, head: 3, messages: [message(1, 2), message(2, 3)] }),
    replica.syncRequest(),
  );
  return replica;
}

function bodies(replica: Replica): (string | null)[] {
  return replica.held(new Set())[0]?.messages.map(({ body }) => body) ?? [];
}

describe('Replica', () => {
  it('begins with a sync of what ready names', () => {
    const replica = new Replica('me');
    replica.ready(ready(3));
    expect(replica.needsSync).toBe(true);
    expect(replica.syncRequest()).toEqual({ epoch: 'e1', accountCursor: null, versions: { [id]: 0 } });
  });

  it('stands where sync put it and goes on by consecutive events', () => {
    const replica = standing();
    expect(replica.needsSync).toBe(false);
    replica.event('message:created', created(3, 4));
    expect(replica.versionOf(id)).toBe(4);
    expect(replica.needsSync).toBe(false);
    expect(bodies(replica)).toEqual(['body 1', 'body 2', 'body 3']);
  });

  it('ignores repeats and syncs over a gap', () => {
    const replica = standing();
    replica.event('message:created', created(2, 3));
    replica.event('message:created', created(4, 5));
    expect(replica.versionOf(id)).toBe(3);
    expect(replica.needsSync).toBe(true);
    expect(replica.syncRequest().versions).toEqual({ [id]: 3 });
    replica.synced(
      page({ version: 5, head: 5, messages: [message(3, 4), message(4, 5)] }),
      replica.syncRequest(),
    );
    expect(replica.versionOf(id)).toBe(5);
    expect(bodies(replica)).toHaveLength(4);
  });

  it('syncs when a position or an answer is ahead', () => {
    const replica = standing();
    replica.hear(id, 4);
    expect(replica.needsSync).toBe(true);
  });

  it('never stores the head of a page', () => {
    const replica = standing();
    replica.hear(id, 9);
    replica.syncRequest();
    replica.synced(
      page({ version: 6, head: 9, more: true, messages: [message(3, 6)] }),
      replica.syncRequest(),
    );
    expect(replica.versionOf(id)).toBe(6);
    expect(replica.needsSync).toBe(true);
  });

  it('waits as long as a page asks for', () => {
    const replica = standing();
    replica.syncRequest();
    const behind = page({ version: 3, head: 2, more: true, retryAfterMs: 200 });
    expect(replica.synced(behind, replica.syncRequest())).toBe(200);
  });

  it('keeps what events brought while the page was under way', () => {
    const replica = standing();
    replica.syncRequest();
    replica.event('message:created', created(3, 4));
    replica.synced(page({ version: 3, head: 3, messages: [message(2, 3)] }), replica.syncRequest());
    expect(replica.versionOf(id)).toBe(4);
    expect(bodies(replica)).toHaveLength(3);
  });

  it('drops everything at a reset and knows from where on it is complete', () => {
    const replica = standing();
    replica.syncRequest();
    replica.synced(
      page({ version: 90, head: 90, reset: true, messages: [message(41, 80)] }),
      replica.syncRequest(),
    );
    const [held] = replica.held(new Set());
    expect(held).toMatchObject({ version: 90, completeAbove: 40 });
    expect(held?.messages).toHaveLength(1);
  });

  it('starts afresh in another epoch', () => {
    const replica = standing();
    replica.ready(ready(1, 'e2'));
    expect(replica.syncRequest()).toEqual({ epoch: 'e2', accountCursor: null, versions: { [id]: 0 } });
  });

  it('takes up what it joined and drops what it left', () => {
    const replica = standing();
    replica.event('conversation:removed', { conversationId: id, version: 4 });
    expect(replica.versionOf(id)).toBeUndefined();
    replica.synced(page({ version: 4, head: 4 }), replica.syncRequest());
    expect(replica.versionOf(id)).toBeUndefined();
    const conversation = { version: 7 } as MyConversation;
    const changes = [{ state: 'joined' as const, conversationId: 'c2', conversation }];
    replica.synced(page({}, { account: { cursor: 'k2', more: false, changes } }), replica.syncRequest());
    expect(replica.versionOf('c2')).toBe(0);
    expect(replica.syncRequest()).toMatchObject({ accountCursor: 'k2', versions: { c2: 0 } });
    replica.synced(page({ id: 'c2' }, { removed: ['c2'] }), replica.syncRequest());
    expect(replica.versionOf('c2')).toBeUndefined();
  });
});

it('does not take the answer to a question from before a removal for its new beginning', () => {
  const replica = standing();
  const asked = replica.syncRequest();
  replica.event('conversation:removed', { conversationId: id, version: 4 });
  const again = { conversationId: id, version: 5 } as ServerPayload<'conversation:created'>;
  replica.event('conversation:created', again);
  replica.synced(page({ version: 6, head: 6, messages: [message(3, 6)] }), asked);
  expect(replica.versionOf(id)).toBe(0);
  expect(replica.needsSync).toBe(true);
});

import { randomUUID } from 'node:crypto';
import { until } from '@parley/testing';
import { v7 as uuid } from 'uuid';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

describe('what concerns single users', () => {
  let world: World;
  const [alice, bob] = [aUser(), aUser()];
  let a: Client, a2: Client, b: Client;

  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
    a = await world.connect(alice, 0);
    a2 = await world.connect(alice, 1);
    b = await world.connect(bob, 1);
  });
  afterAll(() => world.stop());

  async function conversation(): Promise<string> {
    const { id } = world.messaging.log.create('group', [alice, bob]);
    for (const client of [a, a2, b]) await client.take('conversation:created');
    return id;
  }

  const tellUsers: World['messaging']['peer']['publisher']['users'] = (event) =>
    world.messaging.peer.publisher.users(event);

  it('reaches all their sockets and nobody else', async () => {
    tellUsers({ kind: 'account.changed', userIds: [alice] });
    for (const client of [a, a2]) expect(await client.take('account:changed')).toEqual({});
    await world.untilHeard();
    expect(b.names).toEqual([]);
  });

  const notification = (conversationId: string) => ({
    id: uuid(),
    type: 'mention' as const,
    conversationId,
    messageId: uuid(),
    number: 1,
    senderId: bob,
    createdAt: new Date().toISOString(),
    readAt: null,
  });

  it('brings notifications, but none of a conversation that was left', async () => {
    const [id, left] = [await conversation(), await conversation()];
    world.messaging.log.remove(left, alice);
    for (const client of [a, a2]) await client.take('conversation:removed');
    await b.take('member:changed');
    const wanted = notification(id);
    tellUsers({ kind: 'notification.created', userId: alice, notification: notification(left) });
    tellUsers({ kind: 'notification.created', userId: alice, notification: wanted });
    for (const client of [a, a2]) {
      expect(await client.take('notification:created')).toEqual({ notification: wanted });
      expect(client.names).toEqual([]);
    }
    expect(b.names).toEqual([]);
  });

  it('brings a notification that is ahead of the row that brings its reader in, after that', async () => {
    const { messaging } = world;
    const { onRow } = messaging;
    const late: Parameters<typeof onRow>[] = [];
    messaging.onRow = (...row) => void late.push(row);
    const [{ id }, other] = [messaging.log.create('group', [alice, bob]), uuid()];
    messaging.onRow = onRow;
    const wanted = notification(id);
    for (const early of [notification(other), wanted])
      tellUsers({ kind: 'notification.created', userId: alice, notification: early });
    tellUsers({ kind: 'account.changed', userIds: [alice] });
    for (const client of [a, a2]) {
      await client.take('account:changed');
      expect(client.names).toEqual([]);
    }
    for (const row of late) onRow(...row);
    for (const client of [a, a2]) {
      await until('both have come', () => client.events.length === 2);
      expect(client.events.splice(0)).toMatchObject([
        ['conversation:created', { conversationId: id }],
        ['notification:created', { notification: wanted }],
      ]);
    }
    await b.take('conversation:created');
  });

  it('ignores what it does not know', async () => {
    tellUsers({ kind: 'of.the.future', userIds: [alice] } as never);
    await world.auth.broker.publishConfirmed('parley.accounts', 'user.suspended', { kind: 'user.suspended' });
    tellUsers({ kind: 'account.changed', userIds: [alice] });
    for (const client of [a, a2]) await client.take('account:changed');
  });

  it('shows typing to the others in the room, on every node, never to oneself', async () => {
    const id = await conversation();
    expect(await a.ask('typing:start', { conversationId: id })).toEqual({ ok: true });
    expect(await b.take('typing:changed')).toEqual({ conversationId: id, userId: alice, typing: true });
    // Said again at once, it is not passed on again.
    await a.ask('typing:start', { conversationId: id });
    await a.ask('typing:stop', { conversationId: id });
    expect(await b.take('typing:changed')).toEqual({ conversationId: id, userId: alice, typing: false });
    await a.ask('typing:stop', { conversationId: id });
    await b.ask('typing:start', { conversationId: id });
    for (const client of [a, a2]) {
      expect(await client.take('typing:changed')).toEqual({ conversationId: id, userId: bob, typing: true });
      expect(client.names).toEqual([]);
    }
    expect(b.names).toEqual([]);
    // Bob says no more: it ends by itself.
    expect(await a.take('typing:changed')).toEqual({ conversationId: id, userId: bob, typing: false });
    await a2.take('typing:changed');
  });

  it('shows ten of those who type in one conversation, and others as these end', async () => {
    const others = Array.from({ length: 12 }, () => aUser());
    const clients = await Promise.all(others.map((userId) => world.connect(userId, 0)));
    const { id } = world.messaging.log.create('group', [bob, ...others]);
    for (const client of [b, ...clients]) await client.take('conversation:created');
    for (const client of clients) {
      expect(await client.ask('typing:start', { conversationId: id })).toEqual({ ok: true });
    }
    for (const userId of others.slice(0, 10)) {
      expect(await b.take('typing:changed')).toEqual({ conversationId: id, userId, typing: true });
    }
    await clients[0]?.ask('typing:stop', { conversationId: id });
    expect(await b.take('typing:changed')).toMatchObject({ userId: others[0], typing: false });
    await clients[11]?.ask('typing:start', { conversationId: id });
    expect(await b.take('typing:changed')).toMatchObject({ userId: others[11], typing: true });
    expect(b.names).toEqual([]);
    for (const client of clients) await client.close();
    // With their sockets ends what they began.
    const ended = new Set<string>();
    for (let n = 0; n < 10; n++) {
      const { userId, typing } = await b.take('typing:changed');
      expect(typing).toBe(false);
      ended.add(userId);
    }
    expect(ended).toEqual(new Set([...others.slice(1, 10), others[11]]));
  });

  it('refuses typing outside of one’s conversations', async () => {
    expect(await a.ask('typing:start', { conversationId: uuid() })).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
  });

  it('tells watchers of presence, and stops when they do', async () => {
    const at = new Date().toISOString();
    world.presence = [{ userId: bob, status: 'away', lastSeenAt: at }];
    const stranger = aUser();
    expect(await a.ask('presence:watch', { userIds: [bob, stranger] })).toEqual({
      ok: true,
      items: [
        { userId: bob, status: 'away', lastSeenAt: at },
        { userId: stranger, status: 'offline', lastSeenAt: null },
      ],
    });
    const change = { userId: bob, status: 'dnd' as const, lastSeenAt: at };
    world.presencePeer.publisher.presence([change, { userId: alice, status: 'online', lastSeenAt: at }]);
    expect(await a.take('presence:changed')).toEqual({ items: [change] });
    expect(await a.ask('presence:unwatch', { userIds: [bob] })).toEqual({ ok: true, items: [] });
    const other = { userId: stranger, status: 'online' as const, lastSeenAt: at };
    world.presencePeer.publisher.presence([change, other]);
    expect(await a.take('presence:changed')).toEqual({ items: [other] });
    for (const client of [a, a2, b]) expect(client.names).toEqual([]);
  });

  it('bounds how many one socket watches', async () => {
    const many = Array.from({ length: 300 }, aUser);
    const more = Array.from({ length: 300 }, aUser);
    expect(await a2.ask('presence:watch', { userIds: many })).toMatchObject({ ok: true });
    expect(await a2.ask('presence:watch', { userIds: more })).toMatchObject({
      ok: false,
      error: { code: 'invalid_request' },
    });
    expect(await a2.ask('presence:unwatch', { userIds: many })).toMatchObject({ ok: true });
    expect(await a2.ask('presence:watch', { userIds: more })).toMatchObject({ ok: true });
  });

  it('passes one’s own status on', async () => {
    expect(await a.ask('presence:set', { status: 'dnd' })).toEqual({
      ok: true,
      items: [{ userId: alice, status: 'dnd', lastSeenAt: null }],
    });
  });

  it('tells presence who is connected where', async () => {
    const carol = aUser();
    const first = await world.connect(carol, 0);
    const node = world.nodeId(0);
    await world.untilConnections(carol, node, 1);
    const second = await world.connect(carol, 0);
    await world.untilConnections(carol, node, 2);
    await first.close();
    await second.close();
    await world.untilConnections(carol, node, 0);
    const sequences = world.connections
      .filter((event) => event.node === node)
      .map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((x, y) => x - y));
  });

  it('tells of changed names: oneself and who watches', async () => {
    await b.ask('presence:watch', { userIds: [alice] });
    const user = { id: alice, username: 'alice', displayName: 'Alice B.' };
    await world.auth.broker.publishConfirmed('parley.accounts', 'user.changed', {
      kind: 'user.changed',
      sequence: 2,
      at: new Date().toISOString(),
      user,
    });
    for (const client of [a, a2, b]) expect(await client.take('user:changed')).toEqual({ user });
    const client = world.open({ token: await world.token(alice, { sid: randomUUID() }) });
    expect((await client.take('ready')).user).toEqual(user);
  });

  it('keeps no name that had changed before auth’s answer came', async () => {
    const carol = aUser();
    const after = { id: carol, username: 'carol', displayName: 'Another name' };
    let release!: () => void;
    const asked = new Promise<void>((onAsked) => {
      const answered = new Promise<void>((resolve) => (release = resolve));
      world.beforeUsersAnswer = (ids) => {
        if (!ids.includes(carol)) return Promise.resolve();
        onAsked();
        return answered;
      };
    });
    await a.ask('presence:watch', { userIds: [carol] });
    const client = world.open({ token: await world.token(carol) });
    await asked;
    await world.auth.broker.publishConfirmed('parley.accounts', 'user.changed', {
      kind: 'user.changed',
      sequence: 2,
      at: new Date().toISOString(),
      user: after,
    });
    expect(await a.take('user:changed')).toEqual({ user: after });
    release();
    expect((await client.take('ready')).user).toEqual(after);
    const second = world.open({ token: await world.token(carol) });
    expect((await second.take('ready')).user).toEqual(after);
  });

  it('tells each socket which of its own conversations moved', async () => {
    const [mine, both] = [world.messaging.log.create('group', [alice]).id, await conversation()];
    for (const client of [a, a2]) await client.take('conversation:created');
    const versions = { [mine]: 7, [both]: 9, [uuid()]: 3 };
    world.messaging.digest(versions);
    for (const client of [a, a2]) {
      expect(await client.take('position')).toEqual({ versions: { [mine]: 7, [both]: 9 } });
    }
    expect(await b.take('position')).toEqual({ versions: { [both]: 9 } });
  });

  it('answers `sync` without what the socket has left meanwhile', async () => {
    const [kept, left] = [await conversation(), await conversation()];
    const payload = {
      epoch: world.messaging.epoch,
      accountCursor: 'cursor-1',
      versions: { [kept]: 0, [left]: 0 },
    };
    const before = await b.ask('sync', payload);
    expect(before).toMatchObject({ ok: true, epoch: world.messaging.epoch, account: { cursor: 'cursor-2' } });
    expect((before.conversations as { id: string }[]).map(({ id }) => id).sort()).toEqual(
      [kept, left].sort(),
    );

    let release!: () => void;
    const read = new Promise<void>((onRead) => {
      world.beforeSyncAnswer = () => {
        onRead();
        return new Promise<void>((resolve) => (release = resolve));
      };
    });
    const asked = b.ask('sync', payload);
    await read;
    world.messaging.log.remove(left, bob);
    await b.take('conversation:removed');
    release();
    world.beforeSyncAnswer = () => Promise.resolve();
    expect(await asked).toMatchObject({ ok: true, conversations: [{ id: kept }] });
  });

  it('answers `sync` without what the socket has left before it asked, though the view does not know yet', async () => {
    const [kept, left] = [await conversation(), await conversation()];
    // The view still answers as for a member.
    world.viewOf = (userId) => [...world.messaging.log.memberOf(userId), removed];
    const removed = world.messaging.log.memberOf(bob).find(({ conversation: { id } }) => id === left)!;
    world.messaging.log.remove(left, bob);
    await b.take('conversation:removed');
    const answer = await b.ask('sync', {
      epoch: world.messaging.epoch,
      accountCursor: 'cursor-1',
      versions: { [kept]: 0, [left]: 0 },
    });
    world.viewOf = (userId) => world.messaging.log.memberOf(userId);
    expect(answer).toMatchObject({ ok: true, conversations: [{ id: kept }] });
    world.messaging.log.add(left, bob);
    await b.take('conversation:created');
    const back = await b.ask('sync', { epoch: null, accountCursor: null, versions: { [left]: 0 } });
    expect(back).toMatchObject({ ok: true, conversations: [{ id: left }] });
  });

  it('bounds how many syncs a socket has under way', async () => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    world.beforeSyncAnswer = () => released;
    const payload = { epoch: null, accountCursor: null, versions: {} };
    const asked = [a.ask('sync', payload), a.ask('sync', payload), a.ask('sync', payload)];
    const third = await asked[2];
    expect(third).toMatchObject({ ok: false, error: { code: 'rate_limited' } });
    release();
    world.beforeSyncAnswer = () => Promise.resolve();
    expect(await asked[0]).toMatchObject({ ok: true });
    expect(await asked[1]).toMatchObject({ ok: true });
  });
});

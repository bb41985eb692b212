import { randomUUID } from 'node:crypto';
import { getDataSourceToken } from '@nestjs/typeorm';
import { limits, partitionOf } from '@parley/contracts';
import { pgPool } from '@parley/service';
import { describeMongo, until } from '@parley/testing';
import { DataSource } from 'typeorm';
import { logConnections } from './app.module';
import { LOG_CONNECTIONS } from './log/log.store';
import { World } from './testing/world';

type Store = Parameters<typeof World.create>[0];

describe('on PostgreSQL', () => describeMessaging('postgresql'));
describeMongo('on MongoDB', () => describeMessaging('mongodb'));

function describeMessaging(store: Store): void {
  describe('messaging', () => describeOne(store));
  describe('several instances of messaging', () => describeSeveral(store));
}

function describeOne(store: Store): void {
  let world: World;

  beforeAll(async () => {
    world = await World.create(store);
    await world.startInstance();
  });
  afterAll(() => world.close());

  it('numbers messages densely, answers when stored, and publishes each once', async () => {
    const group = await world.group();
    const replies = await Promise.all(
      Array.from({ length: 100 }, (_, i) => world.send(group, i % 2 ? world.alice : world.bob, `m${i}`)),
    );
    expect(replies.map(({ message }) => message.number)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    expect(replies.map(({ message }) => message.version)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 2),
    );
    await world.until(() => world.rowsOf(group).length >= 101);
    expect(world.rowsOf(group).map((row) => row.version)).toEqual(
      Array.from({ length: 101 }, (_, i) => i + 1),
    );
  });

  it('reads, for all who ask, without the connections that appends wait for', async () => {
    const group = await world.group();
    const { message } = await world.send(group, world.alice, 'm');
    const { app } = world.services[0]!;
    const pool = pgPool(app.get<DataSource>(getDataSourceToken(logConnections.name)));
    const taken = await Promise.all(Array.from({ length: LOG_CONNECTIONS }, () => pool.connect()));
    try {
      const { conversations } = await world.requester.query('messaging.join', { userId: world.alice });
      expect(conversations.find(({ id }) => id === group)).toMatchObject({ lastMessage: message });
      const page = { partition: partitionOf(group), after: 0, limit: 100 };
      const { rows } = await world.requester.query('messaging.replay', page);
      expect(rows.at(-1)).toMatchObject({ message });
    } finally {
      for (const connection of taken) connection.release();
    }
  });

  it('answers a repeat with the same message, and refuses another request under its id', async () => {
    const group = await world.group();
    const first = await world.send(group, world.alice, 'same', 'hi');
    const again = await world.send(group, world.alice, 'same', 'hi');
    expect(again).toEqual({ message: first.message, created: false });
    await expect(world.send(group, world.alice, 'same', 'other')).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    });
    const ofBob = await world.send(group, world.bob, 'same', 'hi');
    expect(ofBob.message.number).toBe(2);
  });

  it('shows nothing to strangers, and still answers the repeat of somebody since removed', async () => {
    const group = await world.group();
    await expect(world.send(group, world.carol, 'c1')).rejects.toMatchObject({ code: 'not_found' });
    const sent = await world.send(group, world.bob, 'b1');
    await world.requester.command('member.remove', {
      conversationId: group,
      actorId: world.alice,
      userId: world.bob,
    });
    expect((await world.send(group, world.bob, 'b1')).message.id).toBe(sent.message.id);
    await expect(world.send(group, world.bob, 'b2')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('edits, reacts and deletes, moving the version only for real changes', async () => {
    const group = await world.group();
    const { message } = await world.send(group, world.alice, 'm', 'one');
    const target = { conversationId: group, messageId: message.id };
    const edit = (body: string) =>
      world.requester.command('message.edit', { ...target, actorId: world.alice, body });
    expect((await edit('two')).message).toMatchObject({ version: 3, body: 'two' });
    expect((await edit('two')).message).toMatchObject({ version: 3, body: 'two' });
    const react = (present: boolean) =>
      world.requester.command('reaction.set', { ...target, actorId: world.bob, emoji: '👍', present });
    expect((await react(true)).message).toMatchObject({
      version: 4,
      reactions: [{ emoji: '👍', count: 1, userIds: [world.bob] }],
    });
    expect((await react(true)).message.version).toBe(4);
    expect((await react(false)).message).toMatchObject({ version: 5, reactions: [] });
    await expect(
      world.requester.command('message.edit', { ...target, actorId: world.bob, body: 'x' }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    const gone = await world.requester.command('message.delete', { ...target, actorId: world.alice });
    expect(gone.message).toMatchObject({ version: 6, body: null, reactions: [] });
    expect(gone.message.deletedAt).toBeDefined();
    await expect(edit('three')).rejects.toMatchObject({ code: 'conflict' });
  });

  it('takes any emoji for one, and none for a part of the language', async () => {
    const group = await world.group();
    const { message } = await world.send(group, world.alice, 'm');
    const target = { conversationId: group, messageId: message.id, actorId: world.bob };
    const react = async (emoji: string, present: boolean) =>
      (await world.requester.command('reaction.set', { ...target, emoji, present })).message.reactions;
    for (const emoji of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(await react(emoji, true)).toEqual([{ emoji, count: 1, userIds: [world.bob] }]);
      expect(await react(emoji, false)).toEqual([]);
    }
  });

  it('shows a deleted conversation to nobody at once, and tells accounts that were away', async () => {
    const group = await world.group();
    const account = (cursor: string | null) =>
      world.requester.query('messaging.account', { userId: world.bob, cursor, limit: 100 });
    const { cursor } = await account(null);
    await world.requester.command('conversation.delete', { conversationId: group, actorId: world.alice });
    const { memberOf, conversations } = await world.requester.query('messaging.join', { userId: world.bob });
    expect([...memberOf, ...conversations.map(({ id }) => id)]).not.toContain(group);
    await until('its members hear of it', async () =>
      (await account(cursor)).changes.some(
        ({ conversationId, state }) => conversationId === group && state === 'left',
      ),
    );
  });

  it('replays the log and reports heads', async () => {
    const group = await world.group();
    await world.send(group, world.alice, 'm');
    await world.until(() => world.rowsOf(group).length >= 2);
    const { partition, row } = world.events.find((event) => event.row.conversationId === group)!;
    const page = await world.requester.query('messaging.replay', {
      partition,
      after: row.position - 1,
      limit: 500,
    });
    expect(page.rows[0]).toEqual(row);
    expect(page.rows.map(({ position }) => position)).toEqual(page.rows.map((_, i) => row.position + i));
    expect(page.head).toBe(page.rows[page.rows.length - 1]?.position);
  });

  it('answers those who join together each with their own, newest first, and with the last messages', async () => {
    const join = (userId: string) => world.requester.query('messaging.join', { userId });
    const [older, newer] = [await world.group([world.bob, world.carol]), await world.group()];
    const { message } = await world.send(older, world.alice, 'm');
    const { message: last } = await world.send(newer, world.bob, 'm');

    const stranger = randomUUID();
    const all = await Promise.all([world.alice, world.bob, stranger, world.carol, world.bob].map(join));

    const [alice, bob, nobody, carol, bobAgain] = all.map(({ conversations, memberOf }) => {
      expect(memberOf).toEqual(conversations.map(({ id }) => id));
      return conversations.map(({ id, lastMessage }) => ({ id, lastMessage }));
    });
    expect(alice?.slice(0, 2)).toEqual([
      { id: newer, lastMessage: last },
      { id: older, lastMessage: message },
    ]);
    expect(bob?.slice(0, 2)).toEqual([
      { id: newer, lastMessage: last },
      { id: older, lastMessage: message },
    ]);
    expect(bobAgain).toEqual(bob);
    expect(carol).toContainEqual({ id: older, lastMessage: message });
    expect(carol).not.toContainEqual(expect.objectContaining({ id: newer }));
    expect(nobody).toEqual([]);
  });

  it('tells who joins and is in more than fit where the list goes on, and all rooms', async () => {
    const [busy, other] = [randomUUID(), randomUUID()];
    const ids = await Promise.all(
      Array.from({ length: limits.readyConversationsMax + 1 }, () => world.group([busy])),
    );
    const [joined, otherJoined] = await Promise.all(
      [busy, other].map((userId) => world.requester.query('messaging.join', { userId })),
    );
    expect(joined?.conversations).toHaveLength(limits.readyConversationsMax);
    expect(joined?.nextCursor).not.toBeNull();
    expect(joined?.memberOf.sort()).toEqual(ids.sort());
    expect(otherJoined).toMatchObject({ conversations: [], nextCursor: null, memberOf: [] });
  });

  it('keeps marks forward only and tells the account what changed', async () => {
    const group = await world.group();
    await world.send(group, world.alice, 'm1');
    const { message } = await world.send(group, world.alice, 'm2');
    const before = await world.requester.query('messaging.account', {
      userId: world.bob,
      cursor: null,
      limit: 100,
    });
    const mine = before.changes.find((change) => change.conversationId === group);
    expect(mine).toMatchObject({
      state: 'joined',
      conversation: { unread: 2, readNumber: 0, messageCount: 2, lastMessage: message },
    });
    const mark = (number: number) =>
      world.requester.command('read.mark', { conversationId: group, actorId: world.bob, number });
    expect(await mark(1)).toEqual({ readNumber: 1 });
    expect(await mark(9)).toEqual({ readNumber: 2 });
    // Not written yet, and written: it stands where it stands.
    expect(await mark(1)).toEqual({ readNumber: 2 });
    await world.requester.command('unread.set', { conversationId: group, actorId: world.bob, fromNumber: 2 });
    const after = await world.requester.query('messaging.account', {
      userId: world.bob,
      cursor: before.cursor,
      limit: 100,
    });
    expect(after.changes.find((change) => change.conversationId === group)).toMatchObject({
      conversation: { unread: 0, readNumber: 2, unreadFrom: 2 },
    });
    expect(await mark(0)).toEqual({ readNumber: 2 });
    // Who joins stands at the last message, and who sends at the own one.
    const carol = randomUUID();
    const { alice } = world;
    await world.requester.command('member.put', { conversationId: group, actorId: alice, userId: carol });
    for (const actorId of [carol, alice]) {
      const back = { conversationId: group, actorId, number: 1 };
      expect(await world.requester.command('read.mark', back)).toEqual({ readNumber: 2 });
    }
    // Nobody is in nothing: the cursor comes without any entry, too.
    const nobody = { userId: randomUUID(), cursor: null, limit: 100 };
    expect(await world.requester.query('messaging.account', nobody)).toEqual({
      cursor: expect.any(String),
      more: false,
      changes: [],
    });
  });

  const asBob = async (group: string) => {
    const all = { userId: world.bob, cursor: null, limit: 100 };
    const { changes } = await world.requester.query('messaging.account', all);
    const mine = changes.find(({ conversationId }) => conversationId === group);
    return mine?.state === 'joined' ? mine.conversation : undefined;
  };

  it('counts mentions as the messages mention now: none of a deleted one, none that was edited away', async () => {
    const group = await world.group();
    const { alice: actorId, bob } = world;
    const conversationId = group;
    const mention = async (clientMessageId: string) => {
      const data = { conversationId, actorId, clientMessageId, body: '@bob', format: 'plain' as const };
      return world.requester.command('message.send', { ...data, mentions: [bob], attachments: [] });
    };
    const unreadMentions = async () => (await asBob(group))?.unreadMentions;
    await mention('m1');
    const [{ message: deleted }, { message: edited }] = [await mention('m2'), await mention('m3')];
    expect(await unreadMentions()).toBe(3);

    await world.requester.command('message.delete', { conversationId, actorId, messageId: deleted.id });
    expect(await unreadMentions()).toBe(2);
    const edit = (change: { body?: string; mentions?: string[] }) =>
      world.requester.command('message.edit', { conversationId, actorId, messageId: edited.id, ...change });
    await edit({ body: 'Hello, bob.' });
    expect(await unreadMentions()).toBe(2);
    await edit({ mentions: [] });
    expect(await unreadMentions()).toBe(1);
    await edit({ mentions: [bob, actorId, world.carol] });
    expect(await unreadMentions()).toBe(2);
  });

  it('moves the mark of a sender with a repeat, where the first went with its instance', async () => {
    const group = await world.group();
    await world.send(group, world.bob, 'm1');
    const alice = { conversationId: group, actorId: world.alice };
    const written = () => world.requester.command('unread.set', { ...alice, fromNumber: null });
    await written();
    await world.services[0]!.app.get(DataSource).query('delete from marks where user_id = $1', [world.bob]);
    expect(await asBob(group)).toMatchObject({ unread: 1 });
    await world.send(group, world.bob, 'm1');
    await written();
    expect(await asBob(group)).toMatchObject({ unread: 0 });
  });

  it('clears a private unread mark by reading up to it, not by reading less', async () => {
    const group = await world.group();
    for (const id of ['m1', 'm2', 'm3']) await world.send(group, world.alice, id);
    const bob = { conversationId: group, actorId: world.bob };
    const read = async (number: number) => {
      await world.requester.command('read.mark', { ...bob, number });
      // Whatever was marked before is written then.
      const alice = { conversationId: group, actorId: world.alice };
      await world.requester.command('unread.set', { ...alice, fromNumber: null });
    };
    await world.requester.command('unread.set', { ...bob, fromNumber: 3 });
    await read(2);
    expect(await asBob(group)).toMatchObject({ readNumber: 2, unreadFrom: 3 });
    await read(3);
    expect(await asBob(group)).toMatchObject({ readNumber: 3, unreadFrom: null });
  });
}

function describeSeveral(store: Store): void {
  it('share the partitions, hand them over without refusing anything, and number densely throughout', async () => {
    const world = await World.create(store);
    try {
      await world.startInstance();
      const groups = await Promise.all(Array.from({ length: 12 }, () => world.group()));
      let isDone = false;
      const senders = groups.map(async (group, g) => {
        const numbers: number[] = [];
        for (let i = 0; !isDone || i < 20; i++) {
          numbers.push((await world.send(group, world.alice, `g${g}-${i}`)).message.number);
        }
        return numbers;
      });
      const second = await world.startInstance();
      await world.startInstance();
      await Promise.all(groups.map((group) => world.send(group, world.bob, 'in between')));
      await second.close();
      isDone = true;
      for (const numbers of await Promise.all(senders)) {
        expect(new Set(numbers).size).toBe(numbers.length);
        expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
      }
      for (const group of groups) {
        const total = (await world.send(group, world.bob, 'last')).message.number;
        await world.until(() => world.rowsOf(group).some((row) => row.version === total + 1));
      }
    } finally {
      await world.close();
    }
  });
}

import { randomUUID } from 'node:crypto';
import { RowsDoNotFollow } from '@parley/broker';
import { PARTITIONS, partitionOf, type PartitionRows } from '@parley/contracts';
import { LogWriter } from '../testing/log';
import type { ParkedEvent, SoundRows, ViewFeedStore, ViewStore } from './view.store';

export interface OpenStore {
  feed: ViewFeedStore;
  view: ViewStore;
}

const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
const epoch = 'epoch-1';

/** Rows as the feed gives them to a store. */
export function soundRows(batch: PartitionRows[]): SoundRows[] {
  return batch.flatMap(({ partition, rows }) => {
    const [first, last] = [rows[0], rows[rows.length - 1]];
    return first && last ? [{ partition, first: first.position, last: last.position, rows }] : [];
  });
}

/**
 * What every implementation of the view must do. Properties over random logs are in `view.store.properties.ts`.
 *
 * @param open gives one store with its schema in place; the tests share it and keep to conversations of their own
 */
export function describeViewStore(open: () => Promise<OpenStore>): void {
  const [alice, bob, carol] = [randomUUID(), randomUUID(), randomUUID()];
  let feed: ViewFeedStore;
  let view: ViewStore;
  let log: LogWriter;

  beforeAll(async () => {
    ({ feed, view } = await open());
  });

  beforeEach(async () => {
    // A new epoch empties the store.
    await feed.load(all, randomUUID());
    await feed.load(all, epoch);
    log = new LogWriter();
  });

  const apply = (batch: PartitionRows[], parked: ParkedEvent[] = []) =>
    feed.apply(soundRows(batch), parked, epoch);
  const standing = async (userId: string, conversationId: string) =>
    (await view.standings(userId, [conversationId])).get(conversationId);

  describe('positions', () => {
    it('begin at 0 and move with the rows', async () => {
      const id = log.create('group', [alice, bob]);
      log.send(id, alice, 'hello');
      await apply(log.all());

      const positions = await feed.load(all, epoch);

      expect(positions.get(partitionOf(id))).toBe(2);
      expect([...positions.values()].filter((position) => position > 0)).toHaveLength(1);
    });

    it('refuse rows after a gap, and store nothing of the batch', async () => {
      const id = log.create('group', [alice, bob]);
      log.send(id, alice, 'hello');
      const other = log.create('group', [alice]);
      const batch = log
        .all()
        .map((part) => (part.partition === partitionOf(id) ? { ...part, rows: part.rows.slice(-1) } : part));

      await expect(apply(batch)).rejects.toThrow(RowsDoNotFollow);

      expect(await standing(alice, id)).toBeUndefined();
      if (partitionOf(other) !== partitionOf(id)) expect(await standing(alice, other)).toBeUndefined();
    });

    it('refuse rows of another epoch', async () => {
      const id = log.create('group', [alice]);

      await expect(feed.apply(soundRows(log.all()), [], 'epoch-0')).rejects.toThrow(RowsDoNotFollow);
      expect(await feed.positions(all, 'epoch-0')).toEqual(new Map());

      expect(await standing(alice, id)).toBeUndefined();
    });

    it('take rows that were applied before without a change', async () => {
      const id = log.create('group', [alice, bob]);
      log.send(id, alice, 'hello');
      const early = log.all();
      log.edit(id, 1, 'hello there');
      log.removeMember(id, bob);
      await apply(log.all());

      await apply(early);

      expect(await view.messages({ conversationId: id, newest: true, limit: 10 })).toMatchObject([
        { body: 'hello there' },
      ]);
      expect(await standing(bob, id)).toMatchObject({ head: 4, isMember: false });
      expect((await feed.load([partitionOf(id)], epoch)).get(partitionOf(id))).toBe(4);
    });

    it('start again in another epoch, without the old state', async () => {
      const id = log.create('group', [alice, bob]);
      const message = log.send(id, alice, 'hello');
      await apply(log.all(), [
        { partition: partitionOf(id), position: 9, conversationId: id, reason: 'broken', event: {} },
      ]);

      const positions = await feed.load(all, 'epoch-2');

      expect([...positions.values()].every((position) => position === 0)).toBe(true);
      expect(await standing(alice, id)).toBeUndefined();
      expect(await view.message(id, message.id)).toBeUndefined();
      expect(await feed.parked(10)).toEqual([]);
      await feed.apply(soundRows(log.all()), [], 'epoch-2');
      expect(await standing(alice, id)).toMatchObject({ epoch: 'epoch-2', head: 2 });
    });
  });

  describe('standings', () => {
    it('tell head, counters, shared part and membership', async () => {
      const id = log.create('group', [alice, bob]);
      log.send(id, alice, 'one');
      log.send(id, bob, 'two');
      log.rename(id, 'Another title');
      await apply(log.all());

      const found = await view.standings(alice, [id, randomUUID()]);

      expect([...found.keys()]).toEqual([id]);
      expect(found.get(id)).toEqual({
        conversationId: id,
        epoch,
        head: 4,
        messageCount: 2,
        conversation: { ...log.of(id).conversation, version: 4, messageCount: 2, title: 'Another title' },
        deleted: false,
        isMember: true,
        isParked: false,
      });
      expect(await standing(carol, id)).toMatchObject({ isMember: false });
      expect(await view.heads([id])).toEqual(new Map([[id, 4]]));
    });

    it('follow joins and leaves of a channel, which move no version', async () => {
      const id = log.create('channel', [alice]);
      log.addMember(id, bob);
      await apply(log.all());
      expect(await standing(bob, id)).toMatchObject({ head: 1, isMember: true });

      log.removeMember(id, bob);
      log.addMember(id, carol);
      await apply(log.after(await feed.load(all, epoch)));

      expect(await standing(bob, id)).toMatchObject({ head: 1, isMember: false });
      expect(await standing(carol, id)).toMatchObject({ isMember: true, conversation: { memberCount: 2 } });
    });

    it('forget a deleted conversation, whose content is erased', async () => {
      const id = log.create('group', [alice, bob]);
      const message = log.send(id, alice, 'hello');
      log.deleteConversation(id);
      await apply(log.all());

      expect(await standing(alice, id)).toMatchObject({ deleted: true });
      while (await feed.erase()) continue;

      expect(await view.message(id, message.id)).toBeUndefined();
      expect(await standing(alice, id)).toMatchObject({ deleted: true, isMember: false });
    });
  });

  describe('messages', () => {
    it('come whole, by id and by number, from both ends', async () => {
      const id = log.create('group', [alice, bob]);
      const bodies = [
        'plain',
        '',
        'quotes " \\ and \n lines',
        '日本語 🙂',
        '\u0000 {null,"x"}',
        'x'.repeat(8000),
      ];
      for (const body of bodies) log.send(id, alice, body, { mentions: [bob] });
      log.react(id, 2, '👍', bob);
      const gone = log.deleteMessage(id, 1);
      await apply(log.all());

      const truth = [...log.of(id).messages.values()];
      const page = (more: object) => view.messages({ conversationId: id, newest: false, limit: 3, ...more });
      expect(await page({ limit: 10 })).toEqual(truth);
      expect(await page({})).toEqual(truth.slice(0, 3));
      expect(await page({ newest: true })).toEqual(truth.slice(3));
      expect(await page({ above: 2 })).toEqual(truth.slice(2, 5));
      expect(await page({ below: 5, newest: true })).toEqual(truth.slice(1, 4));
      expect(await page({ above: 6 })).toEqual([]);
      expect(await view.message(id, gone.id)).toEqual(gone);
      expect(await view.message(randomUUID(), gone.id)).toBeUndefined();
      expect(await view.message(id, randomUUID())).toBeUndefined();
    });

    it('are found by thread and by pin', async () => {
      const id = log.create('group', [alice, bob]);
      const root = log.send(id, alice, 'root');
      log.send(id, bob, 'reply', { threadId: root.id });
      log.send(id, alice, 'aside');
      log.send(id, bob, 'another reply', { threadId: root.id });
      log.pin(id, 1, true);
      log.pin(id, 3, true);
      log.pin(id, 1, false);
      await apply(log.all());

      const read = (more: object) => view.messages({ conversationId: id, newest: false, limit: 10, ...more });
      const numbers = async (more: object) => (await read(more)).map((message) => message.number);
      expect(await numbers({ threadId: root.id })).toEqual([2, 4]);
      expect(await numbers({ threadId: root.id, above: 2 })).toEqual([4]);
      expect(await numbers({ pinned: true })).toEqual([3]);
    });

    it('are found by time', async () => {
      const id = log.create('group', [alice]);
      expect(await view.numberAt(id, '2026-01-01T00:00:00.000Z')).toBe(1);
      const sent = Array.from({ length: 20 }, (_, i) => log.send(id, alice, `message ${i}`));
      await apply(log.all());

      for (const message of sent) {
        expect(await view.numberAt(id, message.createdAt)).toBe(message.number);
        const later = new Date(Date.parse(message.createdAt) + 1).toISOString();
        expect(await view.numberAt(id, later)).toBe(message.number + 1);
      }
      expect(await view.numberAt(id, '1999-01-01T00:00:00.000Z')).toBe(1);
    });
  });

  describe('changes', () => {
    it('come in the order of the asks, once per entity, at the latest state', async () => {
      const first = log.create('group', [alice, bob]);
      const second = log.create('group', [alice]);
      log.send(first, alice, 'one');
      log.send(first, alice, 'two');
      log.edit(first, 1, 'one, edited');
      log.removeMember(first, bob);
      log.send(second, alice, 'elsewhere');
      await apply(log.all());

      const changes = await view.changes(
        [
          { conversationId: second, above: 1 },
          { conversationId: first, above: 1 },
        ],
        100,
      );

      expect(changes).toMatchObject([
        [{ kind: 'message', version: 2 }],
        [
          { kind: 'message', version: 3, message: { body: 'two' } },
          { kind: 'message', version: 4, message: { body: 'one, edited' } },
          { version: 5 },
          { version: 5 },
        ],
      ]);
      expect(changes[1]?.slice(2)).toEqual(
        expect.arrayContaining([
          { kind: 'member', version: 5, removed: true, member: expect.objectContaining({ userId: bob }) },
          { kind: 'conversation', version: 5, conversation: expect.objectContaining({ memberCount: 1 }) },
        ]),
      );
    });

    it('end at the limit, but never between entities of one version', async () => {
      const first = log.create('group', [alice, bob, carol]);
      const second = log.create('group', [alice]);
      log.send(first, alice, 'one');
      await apply(log.all());
      const asks = [first, second].map((conversationId) => ({ conversationId, above: 0 }));

      // Version 1 is the conversation with its three members.
      for (const limit of [1, 3, 4]) {
        const changes = await view.changes(asks, limit);
        expect(changes.map((entities) => entities.map(({ version }) => version))).toEqual([[1, 1, 1, 1], []]);
      }
      const changes = await view.changes(asks, 6);
      expect(changes.map((entities) => entities.length)).toEqual([5, 2]);
      expect(await view.changes([], 10)).toEqual([]);
    });

    it('leave out joins and leaves of a channel, and tell role changes', async () => {
      const id = log.create('channel', [alice]);
      log.addMember(id, bob);
      log.setRole(id, bob, 'admin');
      log.addMember(id, carol);
      await apply(log.all());

      const [changes] = await view.changes([{ conversationId: id, above: 1 }], 100);

      expect(changes).toMatchObject([{ version: 2 }, { version: 2 }]);
      expect(changes).toContainEqual({
        kind: 'member',
        version: 2,
        removed: false,
        member: log.of(id).members.get(bob),
      });
    });
  });

  it('lists the members of several conversations', async () => {
    const first = log.create('group', [alice, bob]);
    const second = log.create('direct', [alice, carol]);
    log.addMember(first, carol);
    log.removeMember(first, bob);
    await apply(log.all());

    const members = await view.members([first, second]);

    expect(new Set(members.get(first))).toEqual(new Set(log.of(first).members.values()));
    expect(new Set(members.get(second))).toEqual(new Set(log.of(second).members.values()));
  });

  describe('parked events', () => {
    it('mark their conversation alone, and move the position', async () => {
      const id = log.create('group', [alice]);
      const other = log.create('group', [alice]);
      const partition = partitionOf(id);
      await apply(log.all());
      const before = (await feed.load([partition], epoch)).get(partition) ?? 0;
      const position = before + 1;
      const event = { kind: 'unheard-of', text: 'half a surrogate \ud800 and \u0000' };
      const parked = { partition, position, conversationId: id, reason: 'kind: is unknown', event };

      await feed.apply([{ partition, first: position, last: position, rows: [] }], [parked], epoch);

      expect(await feed.parked(10)).toEqual([parked]);
      expect(await feed.parked(10, other)).toEqual([]);
      expect(await feed.countParked(10)).toBe(1);
      expect((await feed.load([partition], epoch)).get(partition)).toBe(position);
      expect(await standing(alice, id)).toMatchObject({ isParked: true });
      expect(await standing(alice, other)).toMatchObject({ isParked: false });
    });

    it('go in late without undoing what is newer', async () => {
      const id = log.create('group', [alice]);
      log.send(id, alice, 'one');
      log.edit(id, 1, 'one, edited');
      log.send(id, alice, 'two');
      const partition = partitionOf(id);
      const rows = log.rows.get(partition) ?? [];
      const parked = [1, 3].map((i) => ({
        partition,
        position: i + 1,
        conversationId: id,
        reason: 'too early',
        event: rows[i],
      }));
      const sound = rows.filter((_, i) => i !== 1 && i !== 3);
      await feed.apply([{ partition, first: 1, last: 4, rows: sound }], parked, epoch);
      expect(await standing(alice, id)).toMatchObject({ head: 3, messageCount: 1, isParked: true });
      expect([await feed.countParked(10), await feed.countParked(1)]).toEqual([2, 1]);

      for (const row of [rows[1], rows[3]]) if (row) await feed.unpark(partition, row);

      expect(await standing(alice, id)).toMatchObject({ head: 4, messageCount: 2, isParked: false });
      expect(await view.messages({ conversationId: id, newest: false, limit: 10 })).toEqual([
        ...log.of(id).messages.values(),
      ]);
      expect((await feed.load([partition], epoch)).get(partition)).toBe(4);
      expect(await feed.countParked(10)).toBe(0);
    });

    it('are of their epoch', async () => {
      const id = log.create('group', [alice]);
      const partition = partitionOf(id);
      const parked = [{ partition, position: 1, conversationId: id, reason: 'a test', event: {} }];
      await feed.apply([{ partition, first: 1, last: 1, rows: [] }], parked, epoch);

      await feed.load(all, randomUUID());

      expect(await feed.parked(10)).toEqual([]);
      expect(await feed.countParked(10)).toBe(0);
    });
  });
}

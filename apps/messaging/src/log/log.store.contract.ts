import { v7 } from 'uuid';
import { Writer } from '../testing/log-writer';
import type { LogRow, LogStore, Tail } from './log.store';
import { AppendRefused, ClientIdTaken, PositionTaken } from './log.store';

/** Where an append that met another row stopped. */
export type AppendKind = 'whole' | 'torn';

/**
 * What every implementation of LogStore promises. `open` gives an empty log; `kind` says whether it stores an append whole
 * or not at all, or up to the first row of each partition that it refuses.
 */
export function describeLogStore(name: string, kind: AppendKind, open: () => Promise<LogStore>): void {
  describe(`LogStore: ${name}`, () => {
    let store: LogStore;
    beforeAll(async () => {
      store = await open();
    });

    /** Appends rows that nothing stands against. */
    async function append(rows: LogRow[]): Promise<void> {
      expect(await store.append(rows)).toEqual(new Map());
    }

    async function tail(partition: number): Promise<Tail> {
      return (await store.catchUp([partition])).get(partition) as Tail;
    }

    it('gives back rows as they were appended, in order and by page', async () => {
      const writer = new Writer(1);
      const rows = [writer.created(), writer.sent('a'), writer.sent('b'), writer.sent('c')];
      await append(rows);
      const all = await store.read(1, 0, 100);
      expect(all).toEqual(rows.map(({ position, event }) => ({ position, event })));
      expect(await store.read(1, 1, 2)).toEqual(all.slice(1, 3));
      expect(await store.read(1, 4, 100)).toEqual([]);
      const places = [2, 4, 5].map((position) => ({ partition: 1, position }));
      const found = await store.readAt(places);
      expect(found.sort((a, b) => a.position - b.position)).toEqual(
        [all[1], all[3]].map((row) => ({ partition: 1, ...row })),
      );
    });

    it.each([
      [
        'quotes, escapes and text of every kind',
        '"{\\"a\\": [1, 2]}" \\ \n\t $set \u2028 héllo 日本語 👩‍👩‍👧 NULL',
      ],
      ['what JSON writes as an escape', '\u0000\u0001\ud800'],
      ['a long body', 'ü"'.repeat(10_000)],
    ])('gives back character for character: %s', async (_what, body) => {
      const writer = new Writer(2);
      writer.position = (await tail(2)).position;
      const rows = [writer.created(), writer.sent('a', body)];
      await append(rows);
      expect(await store.read(2, rows[0]!.position - 1, 2)).toEqual(
        rows.map(({ position, event }) => ({ position, event })),
      );
    });

    it('knows where each partition ends, and how far it is projected', async () => {
      const writer = new Writer(3);
      await append([writer.created(), { ...writer.sent('a'), term: 7 }]);
      expect(await store.catchUp([3, 4])).toEqual(
        new Map([
          [3, { position: 2, term: 7 }],
          [4, { position: 0, term: 0 }],
        ]),
      );
      expect(await store.positions([3, 4])).toEqual(
        new Map([
          [3, 2],
          [4, 0],
        ]),
      );
    });

    it('stores nothing where a position is taken, and says of which partition', async () => {
      const writer = new Writer(5);
      const first = writer.created();
      await append([first]);
      const other = new Writer(5);
      const late = [other.created(), other.sent('a')];
      const shortfalls = await store.append(late);
      expect(shortfalls).toEqual(new Map([[5, { stored: 0, reason: expect.any(PositionTaken) as unknown }]]));
      expect((shortfalls.get(5)?.reason as PositionTaken).partition).toBe(5);
      expect(await store.read(5, 0, 10)).toEqual([{ position: 1, event: first.event }]);
      expect(await store.conversations([other.state.id])).toEqual(new Map());
    });

    it('stores nothing where a client id is known, and says which, whatever the position', async () => {
      const writer = new Writer(6);
      const sent = writer.sent('same');
      await append(placed([writer.created(), sent]));
      const repeat = { ...writer.sent('same'), position: 3, version: 3 };
      const refusals = await store.append([repeat]);
      expect(refusals.get(6)).toMatchObject({ stored: 0, reason: taken(writer, 'same') });
      expect(refusals.get(6)?.reason).toBeInstanceOf(ClientIdTaken);
      expect(await store.read(6, 2, 10)).toEqual([]);
      const idOf = (sender: string, id: string) => store.messageIdOf(writer.state.id, sender, id);
      expect(await idOf(writer.alice, 'same')).toBe(sent.messageId);
      expect(await idOf(writer.alice, 'fresh')).toBeUndefined();
      expect(await idOf(writer.bob, 'same')).toBeUndefined();
    });

    it('stores nothing where a version is taken, and says that it never will', async () => {
      const writer = new Writer(41);
      const sent = writer.sent('a');
      await append(placed([writer.created(), sent]));
      const double = { ...writer.sent('b'), position: 3, version: sent.version };
      // A log that is whole says it of the append, one that is torn of the row.
      const reason: unknown = await store.append([double]).then(
        (shortfalls) => shortfalls.get(41)?.reason,
        (error: unknown) => error,
      );
      expect(reason).toBeInstanceOf(AppendRefused);
      expect(await store.read(41, 2, 10)).toEqual([]);
    });

    it(`lets one partition's refusal cost the others nothing but ${kind === 'whole' ? 'another append' : 'time'}`, async () => {
      const [before, refused, after] = [new Writer(7), new Writer(8), new Writer(9)];
      await append([refused.created(), refused.sent('a')]);
      const again = new Writer(8);
      const rows = [before.created(), before.sent('a'), again.created(), after.created(), after.sent('a')];
      const shortfalls = await store.append(rows);
      const reason = expect.any(PositionTaken) as unknown;
      if (kind === 'torn') {
        expect(shortfalls).toEqual(new Map([[8, { stored: 0, reason }]]));
      } else {
        expect(shortfalls).toEqual(
          new Map([
            [7, { stored: 0 }],
            [8, { stored: 0, reason }],
            [9, { stored: 0 }],
          ]),
        );
        await append(rows.filter(({ partition }) => partition !== 8));
      }
      for (const partition of [7, 8, 9]) expect(await tail(partition)).toEqual({ position: 2, term: 1 });
      expect((await store.conversations([after.state.id])).get(after.state.id)).toEqual(after.state);
    });

    it('says how many rows stand before the refused one, and has projected these', async () => {
      const writer = new Writer(10);
      await append([writer.created(), writer.sent('known')]);
      const before = structuredClone(writer.state);
      const fresh = writer.sent('fresh');
      const projected = structuredClone(writer.state);
      const rows = [fresh, writer.sent('known'), writer.sent('behind')];
      const shortfalls = await store.append(rows);
      const stored = kind === 'torn' ? 1 : 0;
      expect(shortfalls.get(10)).toMatchObject({ stored, reason: taken(writer, 'known') });
      expect(await store.read(10, 2, 10)).toEqual(
        rows.slice(0, stored).map(({ position, event }) => ({ position, event })),
      );
      expect(await store.positions([10])).toEqual(new Map([[10, 2 + stored]]));
      expect(await tail(10)).toEqual({ position: 2 + stored, term: 1 });
      const state = (await store.conversations([writer.state.id])).get(writer.state.id);
      expect(state).toEqual(stored > 0 ? projected : before);
    });

    it('stores every row once when owners race for the same positions', async () => {
      const first = new Writer(11);
      await append([first.created()]);
      const race = async (sender: string) => {
        let mine = 0;
        while (mine < 20) {
          const { position } = await tail(11);
          const rows = [0, 1, 2].map((i) => ({
            ...first.sent(`${sender} ${mine + i}`),
            position: position + 1 + i,
            version: position + 1 + i,
            number: position + i,
          }));
          const shortfall = (await store.append(rows)).get(11);
          if (shortfall) expect(shortfall.reason).toBeInstanceOf(PositionTaken);
          mine += shortfall ? shortfall.stored : rows.length;
        }
        return mine;
      };
      const counts = await Promise.all([race('x'), race('y'), race('z')]);
      const rows = await store.read(11, 0, 1000);
      expect(rows).toHaveLength(1 + counts.reduce((sum, count) => sum + count, 0));
      expect(rows.map(({ position }) => position)).toEqual(rows.map((_, i) => i + 1));
      expect(await store.positions([11])).toEqual(new Map([[11, rows.length]]));
    });

    it('lets rows without version or client id stand side by side', async () => {
      const writer = new Writer(12);
      const rows = [writer.created(), writer.removed(writer.bob), writer.removed(writer.alice)];
      await append(rows.map((row, i) => (i === 0 ? row : { ...row, version: null })));
      expect((await tail(12)).position).toBe(3);
    });

    it('projects conversations and members as of the last append', async () => {
      const writer = new Writer(13);
      await append([writer.created(), writer.sent('a')]);
      const after = await store.conversations([writer.state.id, v7()]);
      expect(after).toEqual(new Map([[writer.state.id, writer.state]]));
      await append([writer.renamed('Friends'), writer.sent('b'), writer.removed(writer.bob)]);
      expect([...writer.state.members.keys()]).toEqual([writer.alice]);
      const now = (await store.conversations([writer.state.id])).get(writer.state.id);
      expect(now).toEqual(writer.state);
    });

    it('gives the members of several conversations by page, in the order of their ids', async () => {
      const writers = [new Writer(16), new Writer(17), new Writer(18)] as const;
      await append(writers.map((writer) => writer.created()));
      await append([writers[1].removed(writers[1].bob), writers[2].deleted()]);
      const ids = writers.map(({ state }) => state.id);
      const sorted = writers.map(({ state }) => [...state.members].sort(([a], [b]) => (a < b ? -1 : 1)));
      const [first, second] = sorted[0]!;
      const whole = await store.members(ids.slice(0, 2), 2);
      expect(whole).toEqual(new Map([0, 1].map((i) => [ids[i], sorted[i]])));
      expect((await store.members(ids.slice(0, 1), 1)).get(ids[0]!)).toEqual([first]);
      expect((await store.members(ids.slice(0, 1), 1, first![0])).get(ids[0]!)).toEqual([second]);
      expect((await store.members(ids.slice(0, 1), 1, second![0])).get(ids[0]!)).toEqual([]);
      const deleted = writers[2].state;
      expect((await store.conversations([deleted.id])).get(deleted.id)).toEqual(deleted);
    });

    it('gives the latest state of a message, its reactors, and the hash it was sent with', async () => {
      const writer = new Writer(14);
      const sent = writer.sent('a');
      await append(placed([writer.created(), sent]));
      const reaction = writer.reacted(sent.messageId!);
      await append([reaction]);
      const conversationId = writer.state.id;
      const states = await store.messages([
        { conversationId, messageId: sent.messageId! },
        { conversationId, messageId: v7() },
      ]);
      expect([...states.keys()]).toEqual([sent.messageId]);
      expect(states.get(sent.messageId!)).toMatchObject({
        message: { id: sent.messageId, version: reaction.version },
        reactors: { '👍': [writer.bob] },
        requestHash: 'h',
      });
    });

    it('stores hundreds of rows of many partitions in one append', async () => {
      const writers = Array.from({ length: 20 }, (_, i) => new Writer(20 + i));
      await append(writers.map((writer) => writer.created()));
      await append(writers.flatMap((writer) => Array.from({ length: 30 }, (_, i) => writer.sent(`m${i}`))));
      const tails = await store.catchUp(writers.map((writer) => writer.partition));
      expect([...tails.values()]).toEqual(writers.map(() => ({ position: 31, term: 1 })));
    });

    it('refuses one row amid hundreds of the same partition, and stores none behind it', async () => {
      const writer = new Writer(15);
      await append([writer.created(), writer.sent('known')]);
      const rows = Array.from({ length: 250 }, (_, i) => writer.sent(i === 120 ? 'known' : `m${i}`));
      const shortfall = (await store.append(rows)).get(15);
      expect(shortfall).toMatchObject({ stored: kind === 'torn' ? 120 : 0, reason: taken(writer, 'known') });
      expect((await store.read(15, 2, 1000)).length).toBe(kind === 'torn' ? 120 : 0);
    });
  });
}

/** The same rows, at the first positions of their partition. */
function placed(rows: LogRow[]): LogRow[] {
  return rows.map((row, i) => ({ ...row, position: i + 1 }));
}

function taken(writer: Writer, clientMessageId: string): object {
  return { conversationId: writer.state.id, senderId: writer.alice, clientMessageId };
}

import type { LogEvent, PartitionRows } from '@parley/contracts';
import fc from 'fast-check';
import { RowSequencer } from './sequencer';

const quiet = { info() {}, warn() {}, error() {} };
const soon = () => new Promise<void>(setImmediate);

function row(position: number): LogEvent {
  return {
    kind: 'conversation.deleted',
    position,
    conversationId: 'c',
    version: position,
    at: '',
    actorId: null,
  };
}

/** A log of two partitions, and a sequencer that reads it. */
function world(heads: Record<number, number>, jump?: { rowsMax: number }, slowFrom = Infinity) {
  const holes: [partition: number, after: number, next: number][] = [];
  /** Rows of the first partition that the log has lost, up to this position. */
  let lostUpTo = 0;
  const applied: Record<number, number[]> = { 1: [], 2: [] };
  const jumps: [number, number][] = [];
  const replays: number[] = [];
  const limits: number[] = [];
  let failures = 0;
  const sequencer = new RowSequencer({
    replay: (partition, after, limit) => {
      replays.push(partition);
      limits.push(limit);
      if (limit > slowFrom) return Promise.reject(new Error('no answer in time'));
      if (failures-- > 0) return Promise.reject(new Error('no answer'));
      const head = heads[partition]!;
      const count = Math.max(0, Math.min(limit, head - after));
      return Promise.resolve({
        epoch: 'e',
        head,
        rows: Array.from({ length: count }, (_, i) => row(after + i + 1)).filter(
          ({ position }) => partition !== 1 || position > lostUpTo,
        ),
      });
    },
    apply: (batch: PartitionRows[]) => {
      for (const { partition, rows } of batch)
        applied[partition]!.push(...rows.map(({ position }) => position));
    },
    ...(jump && {
      jump: { ...jump, to: (partition: number, head: number) => jumps.push([partition, head]) },
    }),
    onHole: (...hole) => holes.push(hole),
    logger: quiet,
    sleep: soon,
  });
  return {
    sequencer,
    applied,
    jumps,
    replays,
    limits,
    holes,
    fail: (times: number) => (failures = times),
    lose: (upTo: number) => (lostUpTo = upTo),
  };
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

describe('RowSequencer', () => {
  it('follows a partition no longer whose log has a hole, and goes on with the others', async () => {
    const { sequencer, applied, holes, lose } = world({ 1: 6, 2: 3 });
    lose(4);
    sequencer.follow(1, 2);
    sequencer.follow(2, 0);
    const done: string[] = [];
    sequencer.offer([{ partition: 1, rows: [row(6)] }], () => done.push('first'));
    sequencer.offer([{ partition: 2, rows: [row(1), row(2)] }], () => done.push('second'));
    await sequencer.idle();
    expect(holes).toEqual([[1, 2, 5]]);
    expect(sequencer.position(1)).toBeUndefined();
    expect(applied).toEqual({ 1: [], 2: [1, 2] });
    expect(done).toEqual(['first', 'second']);
    // Mended, it goes on from where it stood.
    lose(0);
    sequencer.follow(1, 2);
    sequencer.catchUp(1);
    await sequencer.idle();
    expect(applied[1]).toEqual([3, 4, 5, 6]);
  });

  it('applies every row once and in order, whatever is lost, repeated or reordered', async () => {
    const delivery = fc.record({
      partition: fc.constantFrom(1, 2),
      from: fc.integer({ min: 1, max: 30 }),
      size: fc.integer({ min: 1, max: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(delivery, { maxLength: 40 }),
        fc.integer({ min: 0, max: 3 }),
        async (deliveries, failures) => {
          const { sequencer, applied, fail } = world({ 1: 30, 2: 30 });
          fail(failures);
          sequencer.follow(1, 0);
          sequencer.follow(2, 0);
          for (const { partition, from, size } of deliveries) {
            const rows = upTo(size).map((i) => row(Math.min(30, from + i - 1)));
            sequencer.offer([{ partition, rows }]);
            if (from % 3 === 0) await soon();
          }
          for (const partition of [1, 2]) {
            sequencer.announce(partition, 30);
            sequencer.announce(partition, 30);
          }
          await sequencer.idle();
          expect(applied).toEqual({ 1: upTo(30), 2: upTo(30) });
          expect(sequencer.lag()).toBe(0);
        },
      ),
    );
  });

  it('goes on from where its state stands, and skips what it has', async () => {
    const { sequencer, applied } = world({ 1: 9, 2: 0 });
    sequencer.follow(1, 7);
    sequencer.offer([{ partition: 1, rows: upTo(9).map(row) }]);
    await sequencer.idle();
    expect(applied[1]).toEqual([8, 9]);
  });

  it('ignores partitions that it does not follow', async () => {
    const { sequencer, applied, replays } = world({ 1: 9, 2: 9 });
    sequencer.follow(1, 0);
    sequencer.offer([{ partition: 2, rows: upTo(9).map(row) }]);
    sequencer.announce(2, 9);
    await sequencer.idle();
    expect({ applied, replays }).toEqual({ applied: { 1: [], 2: [] }, replays: [] });
  });

  it('says when what was offered is applied, not before', async () => {
    const { sequencer, applied } = world({ 1: 5, 2: 0 });
    sequencer.follow(1, 0);
    const seen = await new Promise<number[]>((resolve) => {
      sequencer.offer([{ partition: 1, rows: [row(5)] }], () => resolve([...applied[1]!]));
    });
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('waits for a second announcement before it fetches: the event may be on its way', async () => {
    const { sequencer, replays } = world({ 1: 5, 2: 0 });
    sequencer.follow(1, 4);
    sequencer.announce(1, 5);
    await soon();
    expect(replays).toEqual([]);
    sequencer.announce(1, 5);
    await sequencer.idle();
    expect(sequencer.position(1)).toBe(5);
  });

  it('abandons what it was given when it is reset for another history', async () => {
    const { sequencer, applied, fail } = world({ 1: 9, 2: 0 });
    sequencer.follow(1, 0);
    fail(3);
    sequencer.offer([{ partition: 1, rows: [row(7)] }]); // Begins to fetch 1 to 6.
    sequencer.offer([{ partition: 1, rows: [row(8)] }]);
    sequencer.reset();
    sequencer.follow(1, 6);
    await sequencer.idle();
    expect(applied[1]).toEqual([]);
    expect(sequencer.position(1)).toBe(6);
  });

  it('asks for fewer rows of a log that does not answer so many in time', async () => {
    const { sequencer, applied, limits } = world({ 1: 1_000, 2: 0 }, undefined, 100);
    sequencer.follow(1, 0);
    sequencer.catchUp(1);
    await sequencer.idle();
    expect(applied[1]).toEqual(upTo(1_000));
    expect(limits.slice(0, 4)).toEqual([500, 250, 125, 62]);
    // Now and then it tries more.
    const failed = limits.filter((limit) => limit > 100).length;
    expect(failed).toBeGreaterThan(3);
    expect(failed).toBeLessThan(limits.length / 3);
  });

  it('gives errors to the log as they are, for whose serializer knows what they may quote', async () => {
    const told: object[] = [];
    const [noAnswer, noStore] = [new Error('no answer'), new Error('no store')];
    const sequencer = new RowSequencer({
      replay: () =>
        told.length === 0
          ? Promise.reject(noAnswer)
          : Promise.resolve({ epoch: 'e', head: 1, rows: told.length === 1 ? [row(1)] : [] }),
      apply: () => {
        if (told.length === 1) throw noStore;
      },
      logger: { ...quiet, warn: (details) => void told.push(details) },
      sleep: soon,
    });
    sequencer.follow(1, 0);
    sequencer.catchUp(1);
    await sequencer.idle();
    expect(told).toEqual([{ partition: 1, after: 0, err: noAnswer }, { err: noStore }]);
  });

  it('jumps to the head when too much is missing and it may', async () => {
    const { sequencer, applied, jumps } = world({ 1: 5000, 2: 0 }, { rowsMax: 1000 });
    sequencer.follow(1, 10);
    sequencer.catchUp(1);
    await sequencer.idle();
    expect(jumps).toEqual([[1, 5000]]);
    expect(applied[1]).toEqual([]);
    sequencer.offer([{ partition: 1, rows: [row(5001)] }]);
    await sequencer.idle();
    expect(applied[1]).toEqual([5001]);
  });
});

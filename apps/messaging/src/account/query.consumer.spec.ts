import { Deployment } from '../log/deployment';
import { Writer } from '../testing/log-writer';
import { MemoryLog } from '../testing/simulation/simulated.store';
import { QueryConsumer } from './query.consumer';

describe('QueryConsumer', () => {
  it('replays no row that is not projected yet', async () => {
    const log = new MemoryLog('torn');
    const writer = new Writer(1);
    const projected = [writer.created(), writer.sent('a'), writer.sent('b'), writer.sent('c')];
    await log.append(projected);
    // As an owner leaves it that dies between the append and the projection.
    const removal = writer.removed(writer.bob);
    expect(log.insert(removal)).toBeUndefined();

    const consumer = new QueryConsumer(
      undefined as never,
      undefined as never,
      log,
      new Deployment('one', Buffer.alloc(0)),
    );
    const replay = async (after: number, limit: number) => {
      const { head, rows } = await consumer.replay({ partition: 1, after, limit });
      return { head, positions: rows.map(({ position }) => position) };
    };
    expect(await replay(0, 500)).toEqual({ head: 4, positions: [1, 2, 3, 4] });
    expect(await replay(2, 1)).toEqual({ head: 4, positions: [3] });
    expect(await replay(4, 500)).toEqual({ head: 4, positions: [] });
    expect(await replay(0, 0)).toEqual({ head: 4, positions: [] });

    await log.catchUp([1]);
    expect(await replay(4, 500)).toEqual({ head: 5, positions: [5] });
  });

  it('replays fewer rows at once where they are large, and one at least', async () => {
    const log = new MemoryLog('whole');
    const writer = new Writer(1);
    const bodies = [400_000, 400_000, 400_000, 1_100_000, 1].map((characters) => 'x'.repeat(characters));
    await log.append([writer.created(), ...bodies.map((body, i) => writer.sent(`${i}`, body))]);
    const consumer = new QueryConsumer(
      undefined as never,
      undefined as never,
      log,
      new Deployment('one', Buffer.alloc(0)),
    );
    const pages: number[][] = [];
    for (let after = 0; after < 6; after = pages.at(-1)!.at(-1)!) {
      const { head, rows } = await consumer.replay({ partition: 1, after, limit: 500 });
      expect(head).toBe(6);
      pages.push(rows.map(({ position }) => position));
    }
    expect(pages).toEqual([[1, 2, 3], [4], [5], [6]]);
  });
});

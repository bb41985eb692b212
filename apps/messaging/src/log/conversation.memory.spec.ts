import { v7 } from 'uuid';
import { alice, apart, bob, ownerWorld } from '../testing/owner.world';
import { MemoryLog } from '../testing/simulation/simulated.store';

/** A log that counts what it is asked for. */
class CountingLog extends MemoryLog {
  readonly reads: string[] = [];

  override conversations(ids: string[]) {
    this.reads.push(...ids);
    return super.conversations(ids);
  }
}

describe('the conversations that an owner knows', () => {
  const [one, other] = apart(2) as [string, string];

  /** How often the one is read while both are used by turns. */
  async function readings(
    conversationBytesMax: number,
    use: (id: string, i: number) => object,
  ): Promise<number> {
    const store = new CountingLog();
    const { submit } = await ownerWorld(store, [one, other], { conversationBytesMax });
    store.reads.splice(0);
    for (let i = 0; i < 10; i++)
      for (const id of [one, other]) await submit(id, 'member.put', { actorId: alice, ...use(id, i) });
    return store.reads.filter((id) => id === one).length;
  }
  const repeat = () => ({ userId: bob });
  const growth = () => ({ userId: v7() });

  it('stay where there is room for them, and are read again where there is none', async () => {
    expect(await readings(3000, repeat)).toBe(0);
    expect(await readings(1, repeat)).toBe(10);
  });

  it('make room as they grow', async () => {
    expect(await readings(10_000, growth)).toBe(0);
    expect(await readings(3000, growth)).toBeGreaterThan(0);
  });

  it('are counted when they are read, and say what they take', async () => {
    let reads = 0;
    const options = { conversationBytesMax: 10_000, onRead: () => reads++ };
    const { owner, submit } = await ownerWorld(new MemoryLog(), [one, other], options);
    const before = owner.memory();
    expect(reads).toBe(2);
    expect(before.limit).toBe(20_000);
    for (let i = 0; i < 10; i++) await submit(one, 'member.put', { actorId: alice, ...growth() });
    expect(reads).toBe(2);
    expect(owner.memory().bytes - before.bytes).toBe(10 * 180);
  });

  it('stay while something is decided on them that is not stored, however little room there is', async () => {
    const ids = apart(30);
    const { send, doubts } = await ownerWorld(new MemoryLog(), ids, { conversationBytesMax: 1 });
    for (let round = 0; round < 3; round++) {
      const sends = [0, 1, 2].flatMap((i) => ids.map((id) => send(id, `${round} ${i}`)));
      const numbers = (await Promise.all(sends)).map(({ message }) => message.number);
      expect(numbers).toEqual([1, 2, 3].flatMap((i) => ids.map(() => round * 3 + i)));
    }
    expect(doubts).toEqual([]);
  });

  it('stay with what they have grown by that is not stored', async () => {
    const { submit, doubts } = await ownerWorld(new MemoryLog(), [one], { conversationBytesMax: 1 });
    const added = Array.from({ length: 5 }, () =>
      submit(one, 'member.put', { actorId: alice, userId: v7() }),
    );
    const versions = (await Promise.all(added)).map((reply) => (reply as { version: number }).version);
    expect(versions).toEqual([2, 3, 4, 5, 6]);
    expect(doubts).toEqual([]);
  });
});

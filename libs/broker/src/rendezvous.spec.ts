import { assign } from './rendezvous';

const names = (count: number) => Array.from({ length: count }, (_, i) => `instance-${i}`);

describe('assign', () => {
  it('gives every slot to somebody, evenly', () => {
    for (const count of [1, 2, 3, 5, 8]) {
      const load = new Map<string, number>();
      for (const owner of assign(64, names(count))) load.set(owner, (load.get(owner) ?? 0) + 1);
      expect(load.size).toBe(count);
      expect(Math.max(...load.values())).toBeLessThanOrEqual(Math.ceil(64 / count));
    }
  });

  it('does not depend on the order in which instances are listed', () => {
    expect(assign(64, names(4).reverse())).toEqual(assign(64, names(4)));
  });

  it('leaves most slots where they are when one instance goes', () => {
    const before = assign(64, names(4));
    const after = assign(64, names(3));
    const moved = before.filter((owner, slot) => owner !== 'instance-3' && after[slot] !== owner).length;
    expect(moved).toBeLessThanOrEqual(16);
  });

  it('knows nobody where there is nobody', () => {
    expect(assign(64, [])).toEqual([]);
  });
});

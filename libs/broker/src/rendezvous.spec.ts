import fc from 'fast-check';
import { LANES, PARTITIONS } from '@parley/contracts';
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

  it('is even, and moves little more than one share when an instance comes or goes, whatever their names', () => {
    const names = fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 8 });
    fc.assert(
      fc.property(names, fc.constantFrom(PARTITIONS, LANES), (instances, slots) => {
        const share = Math.ceil(slots / instances.length);
        const all = assign(slots, instances);
        for (const instance of instances)
          expect(all.filter((owner) => owner === instance).length).toBeLessThanOrEqual(share);
        // The same for one that comes: it is the former seen backwards.
        const [gone, ...others] = instances;
        const after = assign(slots, others);
        const moved = all.filter((owner, slot) => owner !== after[slot]).length;
        expect(all.filter((owner) => owner === gone).length).toBeLessThanOrEqual(moved);
        expect(moved).toBeLessThanOrEqual(2 * share + instances.length);
      }),
      { numRuns: 500 },
    );
  });

  it('stays the function that it is: instances of two releases must agree on it', () => {
    expect(assign(8, ['a', 'b', 'c']).join('')).toMatchInlineSnapshot(`"aacaccbb"`);
    expect(assign(LANES, ['instance-0', 'instance-1', 'instance-2', 'instance-3'])).toMatchInlineSnapshot(`
     [
       "instance-0",
       "instance-1",
       "instance-0",
       "instance-0",
       "instance-0",
       "instance-2",
       "instance-2",
       "instance-1",
       "instance-1",
       "instance-3",
       "instance-1",
       "instance-2",
       "instance-2",
       "instance-3",
       "instance-3",
       "instance-3",
     ]
    `);
  });

  it('knows nobody where there is nobody', () => {
    expect(assign(64, [])).toEqual([]);
  });
});

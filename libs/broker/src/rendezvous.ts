/** FNV-1a, 32 bits, finished with murmur3's mixer so that near keys do not rank alike. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Which of these instances ranks first for a slot (a partition or lane): highest random weight, so that one that comes
 * or goes moves only its own share. The share is capped at the even one, rounded up, slot by slot, so that few slots
 * are spread evenly too. Every caller with the same list gets the same answer.
 */
export function assign(slots: number, instances: string[]): string[] {
  if (instances.length === 0) return [];
  const bound = Math.ceil(slots / instances.length);
  const load = new Map(instances.map((instance) => [instance, 0]));
  const sorted = [...new Set(instances)].sort();
  return Array.from({ length: slots }, (_, slot) => {
    const ranked = sorted
      .map((instance) => ({ instance, weight: hash(`${slot}/${instance}`) }))
      .sort((a, b) => b.weight - a.weight || (a.instance < b.instance ? -1 : 1));
    const winner = ranked.find(({ instance }) => (load.get(instance) ?? 0) < bound) ?? ranked[0]!;
    load.set(winner.instance, (load.get(winner.instance) ?? 0) + 1);
    return winner.instance;
  });
}

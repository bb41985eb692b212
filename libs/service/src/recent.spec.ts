import { RecentMap } from './recent';

const SIZE = 10;

function filled(keys: number): RecentMap<number, string> {
  const map = new RecentMap<number, string>(SIZE);
  for (let key = 0; key < keys; key++) map.set(key, `value ${key}`);
  return map;
}

it('keeps what was used lately, and not much more', () => {
  const map = filled(100);
  for (let key = 100 - SIZE; key < 100; key++) expect(map.get(key)).toBe(`value ${key}`);
  expect(map.get(99 - 2 * SIZE)).toBeUndefined();
  expect([...filled(1000).keys()].length).toBeLessThanOrEqual(2 * SIZE);
});

it('keeps what is read as well as what is written', () => {
  const map = filled(1);
  for (let key = 1; key < 100; key++) {
    map.set(key, 'another');
    expect(map.get(0)).toBe('value 0');
  }
});

it('forgets what is deleted, however old it is, also while going through the keys', () => {
  const map = filled(15);
  map.get(3);
  map.set(4, 'anew');
  for (const key of map.keys()) if (key % 2 === 0 || key === 3) map.delete(key);
  expect([...Array(15).keys()].filter((key) => map.has(key))).toEqual([1, 5, 7, 9, 11, 13]);
});

describe('a map of what was used lately, by its weight', () => {
  let held: string[];
  let map: RecentMap<string, { weight: number }>;
  const kept = (...keys: string[]) => keys.filter((key) => map.has(key));
  beforeEach(() => {
    held = [];
    map = new RecentMap(100, { weigh: ({ weight }) => weight, held: () => held });
  });

  it('keeps what weighs as much as it is for, however few or many that are', () => {
    map.set('heavy', { weight: 99 });
    for (let i = 0; i < 99; i++) map.set(`light ${i}`, { weight: 1 });
    // The heavy one made one generation full, and the light ones nearly the next.
    expect(kept('heavy')).toEqual(['heavy']);
    map.set('as heavy', { weight: 99 });
    map.set('heavier', { weight: 1000 });
    expect(kept('light 0', 'light 98')).toEqual([]);
    expect(kept('heavier')).toEqual(['heavier']);
  });

  it('counts what a value has grown by', () => {
    map.set('old', { weight: 1 });
    map.set('grown', { weight: 1 });
    map.grew(98);
    map.set('other', { weight: 1 });
    map.grew(99);
    expect(kept('old', 'other')).toEqual(['other']);
  });

  it('says what all that it keeps weighs', () => {
    map.set('old', { weight: 60 });
    map.set('next', { weight: 40 });
    map.set('young', { weight: 30 });
    expect(map.weighs).toBe(130);
    map.grew(80);
    expect(kept('old', 'young')).toEqual(['young']);
    map.clear();
    expect(map.weighs).toBe(0);
  });

  it('weighs a value anew when it is used again', () => {
    const value = { weight: 1 };
    map.set('value', value);
    map.set('heavy', { weight: 99 });
    value.weight = 100;
    // It alone makes a generation full now.
    expect(map.get('value')).toBe(value);
    expect(kept('heavy')).toEqual([]);
  });

  it('keeps what is held for as long as it is', () => {
    map.set('held', { weight: 100 });
    held = ['held', 'unknown'];
    for (let i = 0; i < 5; i++) map.set(`heavy ${i}`, { weight: 100 });
    held = [];
    expect(kept('heavy 3', 'held')).toEqual(['held']);
    map.set('heavy', { weight: 100 });
    expect(kept('held', 'unknown')).toEqual([]);
  });
});

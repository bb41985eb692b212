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

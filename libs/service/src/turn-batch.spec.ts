import { setImmediate as nextTurn } from 'node:timers/promises';
import { TurnBatch } from '.';

test('what comes in one turn is handed on together, in its order and in bounded batches', async () => {
  const batches: number[][] = [];
  const numbers = new TurnBatch<number>(2, (batch) => Promise.resolve(void batches.push(batch)));
  for (const number of [1, 2, 3]) numbers.add(number);
  expect(batches).toEqual([]);
  await nextTurn();
  expect(batches).toEqual([[1, 2], [3]]);
  numbers.add(4);
  await nextTurn();
  expect(batches).toEqual([[1, 2], [3], [4]]);
});

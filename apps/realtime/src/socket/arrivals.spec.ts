import { Arrivals } from './arrivals';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** As many a second for five seconds. */
function come(arrivals: Arrivals, perSecond: number): void {
  for (let n = 0; n < 5 * perSecond; n += 1) {
    jest.advanceTimersByTime(1_000 / perSecond);
    arrivals.note();
  }
}

test('a hundred connections a second are a storm, until it is over', () => {
  const arrivals = new Arrivals();
  expect(arrivals.areStorm).toBe(false);
  come(arrivals, 100);
  expect(arrivals.areStorm).toBe(true);
  jest.advanceTimersByTime(1_000);
  expect(arrivals.areStorm).toBe(false);
});

test('twenty-five a second are not', () => {
  const arrivals = new Arrivals();
  come(arrivals, 25);
  expect(arrivals.areStorm).toBe(false);
});

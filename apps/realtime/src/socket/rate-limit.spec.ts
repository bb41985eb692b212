import { TokenBucket } from './rate-limit';

describe('TokenBucket', () => {
  it('lets a burst through, then one for each share of a second', () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([0, 0, 0, 0].map(() => bucket.take(0))).toEqual([0, 0, 0, 100]);
    expect(bucket.take(50)).toBe(50);
    expect(bucket.take(100)).toBe(0);
    expect(bucket.take(100)).toBe(100);
  });

  it('never holds more than the burst, however long it waits', () => {
    const bucket = new TokenBucket(10, 2, 0);
    expect([0, 0, 0].map(() => bucket.take(3_600_000))).toEqual([0, 0, 100]);
  });

  it('takes no harm from a clock that is set back', () => {
    const bucket = new TokenBucket(10, 1, 1_000);
    expect(bucket.take(1_000)).toBe(0);
    expect(bucket.take(0)).toBe(100);
    expect(bucket.take(100)).toBe(0);
  });
});

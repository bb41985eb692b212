import fc from 'fast-check';
import { LatencyHistogram } from './histogram';

const quantiles = [0, 0.01, 0.5, 0.9, 0.99, 0.999, 1];

describe('LatencyHistogram', () => {
  it('gives every quantile within 1 % of the exact one', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1 }), (values) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const sorted = [...values].sort((a, b) => a - b);
        for (const quantile of quantiles) {
          const exact = sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1] as number;
          const got = histogram.quantileUs(quantile);
          expect(got).toBeGreaterThanOrEqual(exact);
          expect(got).toBeLessThanOrEqual(exact * 1.01 + 0.5);
        }
        expect(histogram.count).toBe(values.length);
        expect(histogram.maxUs).toBe(sorted.at(-1));
      }),
    );
  });

  it('is exact below 256 µs', () => {
    const histogram = new LatencyHistogram();
    for (let us = 0; us < 256; us++) histogram.record(us);
    for (let us = 0; us < 256; us++) expect(histogram.quantileUs((us + 1) / 256)).toBe(us);
  });

  it('bounds what is below zero, too large or fractional', () => {
    const histogram = new LatencyHistogram();
    histogram.record(-5);
    histogram.record(1e12);
    histogram.record(10.9);
    expect(histogram.quantileUs(0.34)).toBe(10);
    expect(histogram.maxUs).toBe(2 ** 31 - 1);
  });

  it('is empty at first', () => {
    expect(new LatencyHistogram().summary()).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, p999Ms: 0, maxMs: 0 });
  });
});

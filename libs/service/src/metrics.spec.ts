import { randomBytes } from 'node:crypto';
import { configureLogging, gauge, metricsRegistry } from '.';

describe('a gauge that asks a store at each scrape', () => {
  let name: string;
  let answer: () => number | Promise<number>;
  let asked: number;

  beforeAll(() => configureLogging({ service: 'spec', instance: 'one', levels: 'silent' }));

  beforeEach(() => {
    name = `spec_${randomBytes(6).toString('hex')}`;
    asked = 0;
    gauge(name, 'Of a spec.', [], async function () {
      asked += 1;
      this.set(await answer());
    });
  });

  afterEach(() => metricsRegistry.removeSingleMetric(name));

  /** As a scrape shows it; undefined where it shows none. */
  async function scraped(): Promise<number | undefined> {
    const value = new RegExp(`^${name} (.+)$`, 'm').exec(await metricsRegistry.metrics())?.[1];
    return value === undefined ? undefined : Number(value);
  }

  const away = () => Promise.reject(new Error('away'));

  it('says nothing while it could never be read', async () => {
    answer = away;
    expect(await scraped()).toBeUndefined();
    answer = () => 0;
    expect(await scraped()).toBe(0);
  });

  it('keeps the value of before while the store is away', async () => {
    answer = () => 3;
    expect(await scraped()).toBe(3);
    answer = away;
    expect(await scraped()).toBe(3);
    answer = () => 1;
    expect(await scraped()).toBe(1);
  });

  it('bears a question that fails before it is asked', async () => {
    let isThere = true;
    gauge(name, 'Of a spec.', [], function () {
      if (!isThere) throw new Error('away');
      this.set(3);
    });
    expect(await scraped()).toBe(3);
    isThere = false;
    expect(await scraped()).toBe(3);
    isThere = true;
    expect(await scraped()).toBe(3);
  });

  it('lets a store that hangs neither hold up the scrape nor be asked again', async () => {
    answer = () => 3;
    await scraped();
    let release: (value: number) => void = () => undefined;
    answer = () => new Promise((resolve) => (release = resolve));
    expect(await Promise.all([scraped(), scraped()])).toEqual([3, 3]);
    expect(await scraped()).toBe(3);
    expect(asked).toBe(2);
    release(4);
    answer = () => 5;
    // The late answer ends that question; the next scrape asks anew.
    await new Promise(setImmediate);
    expect(await scraped()).toBe(5);
  });
});

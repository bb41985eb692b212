import { Pace } from './mongo.pace';

const items = Array.from({ length: 1_000 }, (_, index) => index);

describe('a pace', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** Does everything on a server on which each operation takes so long, and one command at most a second. */
  async function sizes(pace: Pace, msEach: number): Promise<number[]> {
    const seen: number[] = [];
    const all = pace.inChunks(items, async (chunk, from) => {
      expect(chunk[0]).toBe(from);
      seen.push(chunk.length);
      const tookMs = Math.min(chunk.length * msEach, 1_000);
      await new Promise((resolve) => setTimeout(resolve, tookMs));
      if (chunk.length * msEach > 1_000) throw new Error('timed out');
    });
    const outcome = all.then(
      () => 'done',
      () => 'failed',
    );
    await jest.advanceTimersByTimeAsync(1_000_000);
    seen.push(...((await outcome) === 'failed' ? [-1] : []));
    return seen;
  }

  it('does all in few commands on a quick server', async () => {
    expect(await sizes(new Pace(), 0.1)).toEqual([500, 500]);
  });

  it('gets through on a slow one after a failure or two, and is quick again with it', async () => {
    const pace = new Pace();
    expect(await sizes(pace, 20)).toEqual([500, -1]);
    // A command that was given up says only that it was too long.
    expect(await sizes(pace, 20)).toEqual([100, -1]);
    const slow = await sizes(pace, 20);
    expect(slow.at(-1)).not.toBe(-1);
    expect(Math.max(...slow)).toBeLessThanOrEqual(20);
    const quick = await sizes(pace, 0.1);
    expect(quick.at(-1)).toBeGreaterThan(100);
  });

  it('takes what fails at once for no sign of speed', async () => {
    const pace = new Pace();
    await sizes(pace, 20);
    await sizes(pace, 20);
    const failing = pace.inChunks(items, () => Promise.reject(new Error('refused')));
    await expect(failing).rejects.toThrow('refused');
    expect((await sizes(pace, 20))[0]).toBeLessThanOrEqual(20);
  });
});

import type { ParleyError } from '@parley/contracts';
import { Gate } from './gate';

/** Works that end when they are told to. */
function works() {
  const running: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () =>
    new Promise<string>((resolve) => {
      running.push(name);
      ends.set(name, () => resolve(name));
    });
  return { running, work, end: (name: string) => ends.get(name)?.() };
}

test('lets a few through, the others in the order of coming', async () => {
  const gate = new Gate({ concurrency: () => 2, waitingMax: 10, waitMsMax: 60_000 });
  const { running, work, end } = works();
  const all = ['a', 'b', 'c', 'd'].map((name) => gate.pass(work(name)));
  expect(running).toEqual(['a', 'b']);
  end('b');
  await all[1];
  await Promise.resolve();
  expect(running).toEqual(['a', 'b', 'c']);
  for (const name of ['a', 'c']) end(name);
  await all[2];
  end('d');
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd']);
});

test('lets fewer through while it is narrowed, and more again as soon as a work ends after that', async () => {
  let concurrency = 3;
  const gate = new Gate({ concurrency: () => concurrency, waitingMax: 10, waitMsMax: 60_000 });
  const { running, work, end } = works();
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => gate.pass(work(name)));
  concurrency = 1;
  for (const name of ['a', 'b']) end(name);
  await Promise.all(all.slice(0, 2));
  expect(running).toEqual(['a', 'b', 'c']);
  concurrency = 3;
  end('c');
  await all[2];
  await Promise.resolve();
  expect(running).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  for (const name of ['d', 'e', 'f']) end(name);
  await Promise.all(all);
});

test('a work that fails gives its place on', async () => {
  const gate = new Gate({ concurrency: () => 1, waitingMax: 10, waitMsMax: 60_000 });
  const failing = gate.pass(() => Promise.reject(new Error('no')));
  const next = gate.pass(() => Promise.resolve('yes'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('refuses whoever comes to a full line, and whoever has waited too long', async () => {
  const gate = new Gate({ concurrency: () => 1, waitingMax: 1, waitMsMax: 0 });
  const { work, end } = works();
  const first = gate.pass(work('a'));
  const late = gate.pass(work('b'));
  await expect(gate.pass(work('c'))).rejects.toMatchObject({ code: 'unavailable' });
  end('a');
  await first;
  await expect(late).rejects.toMatchObject({ code: 'unavailable' });
  const after = gate.pass(work('d'));
  end('d');
  expect(await after).toBe('d');
});

describe('a gate whose turns take 100 ms', () => {
  const TURN_MS = 100;
  const NEARLY = 0.8;

  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** Through which enough have gone for it to know. */
  async function used(options: { waitingMax: number; waitMsMax: number }): Promise<Gate> {
    const gate = new Gate({ concurrency: () => 1, ...options });
    const turn = () => new Promise<void>((resolve) => setTimeout(resolve, TURN_MS));
    const passed: Promise<void>[] = [];
    for (let i = 0; i < 60; i += 1) {
      passed.push(gate.pass(turn));
      if (i > 0) await jest.advanceTimersByTimeAsync(TURN_MS);
    }
    await jest.advanceTimersByTimeAsync(TURN_MS);
    await Promise.all(passed);
    return gate;
  }

  const refusalOf = (passing: Promise<unknown>) =>
    passing.then(
      () => undefined,
      (error: ParleyError) => error.retryAfterMs ?? 0,
    );

  test('promises each of those whom it refuses a turn of its own', async () => {
    const gate = await used({ waitingMax: 20, waitMsMax: 60_000 });
    const never = () => new Promise<never>(() => undefined);
    for (let i = 0; i < 21; i += 1) void gate.pass(never);
    const waits = await Promise.all(Array.from({ length: 200 }, () => refusalOf(gate.pass(never))));
    waits.forEach((waitMs, index) => {
      const turnIn = Math.min((20 + index) * TURN_MS, 15_000);
      expect(waitMs).toBeGreaterThan(turnIn * NEARLY);
      expect(waitMs).toBeLessThan(turnIn * 1.6);
    });
  });

  test('does not hold up those of one storm for the promises of another', async () => {
    const gate = await used({ waitingMax: 20, waitMsMax: 60_000 });
    const never = () => new Promise<never>(() => undefined);
    for (let i = 0; i < 21; i += 1) void gate.pass(never);
    await Promise.all(Array.from({ length: 1_000 }, () => refusalOf(gate.pass(never))));
    await jest.advanceTimersByTimeAsync(20_000);
    expect(await refusalOf(gate.pass(never))).toBeLessThan(21 * TURN_MS * 1.6);
  });

  test('refuses at once who would wait in vain', async () => {
    const gate = await used({ waitingMax: 1_000, waitMsMax: 1_000 });
    const never = () => new Promise<never>(() => undefined);
    void gate.pass(never);
    const outcomes = Array.from({ length: 30 }, () => refusalOf(gate.pass(never)));
    // The first of the line are still in it; the last were told to come back.
    expect(await Promise.race([outcomes[0], Promise.resolve('waits')])).toBe('waits');
    expect(await Promise.race([outcomes[29], Promise.resolve('waits')])).not.toBe('waits');
  });
});

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
  const gate = new Gate({ concurrency: 2, waitingMax: 10, waitMsMax: 60_000 });
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

test('a work that fails gives its place on', async () => {
  const gate = new Gate({ concurrency: 1, waitingMax: 10, waitMsMax: 60_000 });
  const failing = gate.pass(() => Promise.reject(new Error('no')));
  const next = gate.pass(() => Promise.resolve('yes'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});

test('refuses whoever comes to a full line, and whoever has waited too long', async () => {
  const gate = new Gate({ concurrency: 1, waitingMax: 1, waitMsMax: -1 });
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

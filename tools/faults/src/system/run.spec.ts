import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@parley/testing';
import { isAlive } from '@parley/tool-local';
import { run } from './run';

const cwd = mkdtempSync(join(tmpdir(), 'parley-run-'));
afterAll(() => rmSync(cwd, { recursive: true }));

const never = new AbortController().signal;

test('gives what a command says', async () => {
  expect(await run('echo', ['one', 'two'], { cwd, interrupted: never })).toBe('one two\n');
});

test('throws with what a command said that fails', async () => {
  const failing = run('sh', ['-c', 'echo built half; echo no disk >&2; exit 3'], { cwd, interrupted: never });
  await expect(failing).rejects.toThrow(/built half\nno disk/);
  await expect(run('no-such-program', [], { cwd, interrupted: never })).rejects.toThrow('ENOENT');
});

test('an interruption ends the command and what it has started', async () => {
  const interruption = new AbortController();
  const { signal: interrupted } = interruption;
  const building = run('sh', ['-c', 'sleep 3600 & echo $! > compiler.new; mv compiler.new compiler; wait'], {
    cwd,
    interrupted,
  });
  const refused = expect(building).rejects.toThrow('Enough.');
  await until('the compiler runs', () => existsSync(join(cwd, 'compiler')));
  const compiler = Number(readFileSync(join(cwd, 'compiler'), 'utf8'));
  expect(isAlive(compiler)).toBe(true);
  interruption.abort(new Error('Enough.'));
  await refused;
  expect(isAlive(compiler)).toBe(false);
});

test('nothing starts after an interruption', async () => {
  const interrupted = AbortSignal.abort(new Error('Enough.'));
  await expect(run('touch', ['late'], { cwd, interrupted })).rejects.toThrow('Enough.');
  expect(existsSync(join(cwd, 'late'))).toBe(false);
});

import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryDirectory } from './fixtures/temporary';
import { isAlive, processTree, signalQuietly, waitUntilGone } from './process/process-table';

const LAUNCHER = pathToFileURL(resolve(__dirname, '../prepare.mjs')).href;
const WORKLOAD = 'tools/local/dist/fixtures/workload.js';
const PATIENCE_MS = 120_000;

const { dir: home, remove } = temporaryDirectory();
afterAll(remove);

/** `npm run workload`, as `npm run faults` is one: npm, the launcher, the workload, and the two processes that it owns. */
class Run {
  output = '';
  readonly dir: string;
  readonly npm: ChildProcess;
  private readonly heard = new EventEmitter();
  private readonly closed: Promise<unknown[]>;

  constructor(name: string, ...mode: ['starting'?]) {
    this.dir = join(realpathSync(home), name);
    mkdirSync(this.dir);
    const launcher = join(home, `${name}.mjs`);
    writeFileSync(
      launcher,
      `import { become } from '${LAUNCHER}'; await become('${WORKLOAD}', ${JSON.stringify([this.dir, ...mode])});`,
    );
    writeFileSync(
      join(home, 'package.json'),
      JSON.stringify({ scripts: { workload: `exec node ${launcher}` } }),
    );
    this.npm = spawn('npm', ['run', '--silent', '--no-update-notifier', 'workload'], {
      cwd: home,
      env: { PATH: process.env['PATH'], HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, as for a job of a terminal.
      detached: true,
    });
    for (const stream of [this.npm.stdout, this.npm.stderr])
      stream?.on('data', (chunk) => {
        this.output += String(chunk);
        this.heard.emit('output');
      });
    this.closed = once(this.npm, 'close');
    void this.closed.then(() => this.heard.emit('output'));
  }

  async says(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.npm.exitCode !== null) throw new Error(`ended without saying "${text}":\n${this.output}`);
      await once(this.heard, 'output');
    }
  }

  /** npm, the launcher, the workload, and what that has started. */
  get processes(): number[] {
    return processTree(this.npm.pid ?? 0);
  }

  get owned(): number[] {
    return ['server', 'app'].map((name) =>
      Number(readFileSync(join(this.dir, 'run', `${name}.pid`), 'utf8')),
    );
  }

  /** Resolves to the exit code of npm once everybody who writes where npm does has ended. */
  async end(): Promise<number | null> {
    const [code] = (await this.closed) as [number | null];
    return code;
  }
}

const IN_ORDER = /stopped the app\nstopped the server\n/;

async function running(name: string): Promise<{ run: Run; all: number[] }> {
  const run = new Run(name);
  await run.says('running');
  const all = run.processes;
  // npm, launcher, workload, guardian, server, app.
  expect(all).toHaveLength(6);
  expect(all).toEqual(expect.arrayContaining(run.owned));
  return { run, all };
}

describe('what npm, a launcher and an owner of servers run', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('ends in order when npm alone gets %s', async (signal) => {
    const { run, all } = await running(signal);
    run.npm.kill(signal);
    await run.end();
    expect(run.output).toMatch(IN_ORDER);
    expect(run.output).toContain(`Interrupted by ${signal}`);
    // npm has waited, so nothing is left to wait for but the guardian, which was told to go.
    expect(await waitUntilGone(all, PATIENCE_MS)).toBe(true);
    expect(existsSync(run.dir)).toBe(false);
  });

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'ends in order when the whole group gets %s, and again',
    async (signal) => {
      const { run, all } = await running(`group-${signal}`);
      const group = -(run.npm.pid ?? 0);
      process.kill(group, signal);
      await run.says('stopped the app');
      signalQuietly(group, signal);
      await run.end();
      expect(run.output).toMatch(IN_ORDER);
      expect(await waitUntilGone(all, PATIENCE_MS)).toBe(true);
      expect(existsSync(run.dir)).toBe(false);
    },
  );

  test('ends in order when the signal comes in the middle of the start', async () => {
    const run = new Run('start', 'starting');
    await run.says('starting');
    const all = run.processes;
    expect(all).toEqual(expect.arrayContaining(run.owned));
    run.npm.kill('SIGTERM');
    await run.end();
    expect(run.output).not.toContain('running');
    expect(run.output).toMatch(IN_ORDER);
    expect(run.output).toContain('Interrupted by SIGTERM');
    expect(await waitUntilGone(all, PATIENCE_MS)).toBe(true);
  });

  test.each([
    ['npm gets SIGHUP', 0, 'SIGHUP'],
    ['npm is killed', 0, 'SIGKILL'],
    ['the launcher is killed', 1, 'SIGKILL'],
  ] as const)('ends in order when %s', async (_, index, signal) => {
    const { run, all } = await running(`${signal}-${index}`);
    process.kill(all[index] ?? 0, signal);
    await run.end();
    expect(run.output).toMatch(IN_ORDER);
    expect(await waitUntilGone(all, PATIENCE_MS)).toBe(true);
    expect(existsSync(run.dir)).toBe(false);
  });

  test.each([
    ['the owner alone', 2],
    ['everything down to the owner', 0],
  ] as const)('ends when %s is killed', async (_, first) => {
    const { run, all } = await running(`killed-${first}`);
    const owned = run.owned;
    for (const victim of all.slice(first, 3)) process.kill(victim, 'SIGKILL');
    await run.end();
    expect(run.output).not.toContain('stopped');
    expect(await waitUntilGone(all, PATIENCE_MS)).toBe(true);
    expect(owned.filter(isAlive)).toEqual([]);
    expect(existsSync(run.dir)).toBe(false);
  });
});

test('npm passes its signals to the program of every script, not to a shell before it', () => {
  const { scripts } = JSON.parse(readFileSync(resolve(__dirname, '../../../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(Object.entries(scripts).filter(([, script]) => script.startsWith('node '))).toEqual([]);
});

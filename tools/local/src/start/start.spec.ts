import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { temporaryDirectory } from '../fixtures/temporary';
import { isAlive, recordedNames, waitUntilGone } from '../process/process-table';
import { freePort } from '../system/ports';
import { readRunning, type Running } from './running';

const MAIN = resolve(__dirname, '../../dist/start/main.js');
const ENDS_WITH_PARENT = resolve(__dirname, '../../ends-with-parent.cjs');

const { dir, remove } = temporaryDirectory();
/** A start takes seconds on a quiet machine, minutes on one that is busy with other things. */
jest.setTimeout(900_000);

const runs: Run[] = [];
afterEach(async () => {
  for (const run of runs.splice(0)) await run.interrupt();
});
afterAll(remove);

/** One `npm start` without its installation and build, under a directory of our own. */
class Run {
  output = '';
  private readonly heard = new EventEmitter();
  private readonly child: ChildProcess;
  private readonly exit: Promise<unknown[]>;

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [`--require=${ENDS_WITH_PARENT}`, MAIN, ...args], {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PARLEY_RUN_DIR: realpathSync(dir) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (chunk) => {
        this.output += String(chunk);
        this.heard.emit('output');
      });
    this.exit = once(this.child, 'close');
    runs.push(this);
    void this.exit.then(() => this.heard.emit('output'));
  }

  /** Resolves when `text` has been printed; fails when the run ends before. */
  async says(text: string): Promise<void> {
    while (!this.output.includes(text)) {
      if (this.child.exitCode !== null) throw new Error(`ended without saying "${text}":\n${this.output}`);
      await once(this.heard, 'output');
    }
  }

  async end(): Promise<number | null> {
    const [code] = (await this.exit) as [number | null];
    return code;
  }

  interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.end();
  }

  /** What a terminal does when it is closed. */
  hangUp(): Promise<number | null> {
    this.child.stdout?.destroy();
    this.child.stderr?.destroy();
    this.child.kill('SIGHUP');
    return this.end();
  }

  kill(): Promise<number | null> {
    this.child.kill('SIGKILL');
    return this.end();
  }
}

function pidOf(name: string): number {
  return Number(readFileSync(join(dir, 'run', `${name}.pid`), 'utf8'));
}

async function login({ url = '', logins: [first] = [] }: Partial<Running> = {}): Promise<number> {
  const response = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ login: first?.username, password: first?.password }),
  });
  return response.status;
}

test('a start proves itself, survives a crash of an app, and stops cleanly', async () => {
  const running = new Run('--port', String(await freePort()), '--scale', 'realtime=2');
  await running.says('Ctrl-C stops everything');
  expect(running.output).toContain('realtime-2 is ready');
  expect(running.output).toMatch(/It arrived after \d+ ms/);
  expect(await login(readRunning(dir))).toBe(200);

  const second = new Run('--port', String(await freePort()));
  expect(await second.end()).toBe(1);
  expect(second.output).toContain('runs here already');

  process.kill(pidOf('history-1'), 'SIGKILL');
  await running.says('history-1 is back');

  const pids = recordedNames(dir).map(pidOf);
  expect(pids.length).toBeGreaterThan(10);
  expect(await running.interrupt()).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(existsSync(join(dir, 'running.json'))).toBe(false);
});

test('after a crash everything ends, and the next start goes on from there, and ends with its terminal', async () => {
  const port = String(await freePort());
  const crashed = new Run('--port', port);
  await crashed.says('Ctrl-C stops everything');
  const orphans = recordedNames(dir).map(pidOf);
  await crashed.kill();
  expect(await waitUntilGone(orphans, 300_000)).toBe(true);

  const running = new Run('--port', port);
  await running.says('Ctrl-C stops everything');
  expect(await login(readRunning(dir))).toBe(200);
  const pids = recordedNames(dir).map(pidOf);
  expect(await running.hangUp()).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('a taken port is said before anything starts', async () => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  await once(other, 'listening');
  const run = new Run('--port', String(port));
  expect(await run.end()).toBe(1);
  expect(run.output).toContain(`Port ${port} on 127.0.0.1 is taken`);
  expect(run.output).toContain('npm start -- --port');
  other.close();
});

test('Ctrl-C in the middle of a start leaves nothing behind', async () => {
  const running = new Run('--port', String(await freePort()));
  await running.says('Starting PostgreSQL');
  expect(await running.interrupt()).toBe(0);
  expect(recordedNames(dir)).toEqual([]);
});

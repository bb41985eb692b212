import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { closeClients, gatewayUrl, person, type Person } from './system/world';

const PROGRAM = resolve(__dirname, '../../../tools/chat/dist/main.js');

/** `npm run chat` at the end of a pipe. */
class Terminal {
  private readonly process: ChildProcessWithoutNullStreams;
  private shown = '';
  private readonly waiting = new Set<() => void>();

  constructor(runDir: string, { user, password }: Person, ...more: string[]) {
    const options = ['--as', user.username, '--password', password, '--url', gatewayUrl()];
    this.process = spawn(process.execPath, [PROGRAM, ...options, ...more], {
      env: { ...process.env, PARLEY_RUN_DIR: runDir },
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.shown += text;
        for (const check of [...this.waiting]) check();
      });
    }
  }

  type(line: string): void {
    this.process.stdin.write(`${line}\n`);
  }

  /** Resolves once it has shown that. */
  shows(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!pattern.test(this.shown)) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  async quit(): Promise<number | null> {
    const ended = new Promise<number | null>((resolve) => this.process.once('exit', resolve));
    this.type('/quit');
    return ended;
  }
}

it('lets two people talk in two terminals', async () => {
  const runDir = await mkdtemp(join(tmpdir(), 'parley-chat-'));
  const [alice, bob] = await Promise.all([person('alice'), person('bob')]);
  const a = new Terminal(runDir, alice, '--with', bob.user.username);
  const b = new Terminal(runDir, bob);
  await Promise.all([a, b].map((terminal) => terminal.shows(/\/help shows/)));

  a.type('Hello from the terminal.');
  await a.shows(/#1 alice-\S+: Hello from the terminal\./);
  await b.shows(/wrote elsewhere/);
  b.type('/list');
  await b.shows(/1 {2}alice-\S+ \(1 unread\)/);
  b.type('/open 1');
  await b.shows(/#1 alice-\S+: Hello from the terminal\./);
  b.type('/react 1 🎉');
  await a.shows(/#1 alice-\S+: Hello from the terminal\. 🎉/);
  b.type('/edit 1 Mine.');
  await b.shows(/forbidden/);
  b.type(`/group Plans ${alice.user.username}`);
  await b.shows(/-- Plans/);
  b.type('/who');
  await b.shows(/bob-\S+ \(owner\): you/);
  b.type('/nonsense');
  await b.shows(/there is no \/nonsense/);

  expect(await a.quit()).toBe(0);
  await b.shows(/alice-\S+ is offline/);
  expect(await b.quit()).toBe(0);
  await closeClients();
  await rm(runDir, { recursive: true });
});

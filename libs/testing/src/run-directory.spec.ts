import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { isAlive } from '@parley/tool-local';
import { endRun, makeRunDirectory } from './run-directory';

const REGISTER = resolve(__dirname, '../jest/register.js');

/** Keeps a server below DIR, as the keepers of a run do, and hears no signal. */
const KEEPER = `
  const { hold, OwnedProcess } = require('@parley/tool-local');
  const dir = process.argv[1];
  process.on('SIGTERM', () => undefined);
  hold(dir, {}, { removes: true });
  const server = new OwnedProcess({
    name: 'server', dir, command: process.execPath, args: ['-e', 'setInterval(() => undefined, 1000)'],
    logFile: dir + '/server.log', stopSignal: 'SIGTERM', stopTimeoutMs: 1000,
  });
  server.start();
  console.log(server.pid);
  setInterval(() => undefined, 1000);`;

describe('the end of a run', () => {
  let said: jest.SpyInstance;
  beforeEach(() => (said = jest.spyOn(console, 'error').mockImplementation()));
  afterEach(() => said.mockRestore());

  async function started(dir: string, pidFile: string): Promise<{ keeper: ChildProcess; server: number }> {
    const args = ['--conditions=@parley/source', '-r', REGISTER, '-e', KEEPER, dir];
    const keeper = spawn(process.execPath, args, { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] });
    writeFileSync(join(dir, pidFile), String(keeper.pid));
    const [server] = (await once(createInterface(keeper.stdout), 'line')) as [string];
    return { keeper, server: Number(server) };
  }

  it('kills a keeper that hangs, and lets its guardian end what that had started', async () => {
    const dir = makeRunDirectory();
    const { keeper, server } = await started(dir, 'keeper.pid');
    expect(isAlive(server)).toBe(true);
    await endRun(dir, { stopTimeoutMs: 100 });
    expect(keeper.signalCode ?? 'SIGKILL').toBe('SIGKILL');
    expect([keeper.pid ?? 0, server].filter(isAlive)).toEqual([]);
    expect(existsSync(dir)).toBe(false);
    expect(said.mock.calls).toEqual([
      [`keeper.pid: process ${keeper.pid} did not end within 0.1 s and is killed.`],
    ]);
  });

  it('is that of a directory alone where nothing was started', async () => {
    const dir = makeRunDirectory();
    await endRun(dir);
    expect(existsSync(dir)).toBe(false);
    expect(said).not.toHaveBeenCalled();
  });
});

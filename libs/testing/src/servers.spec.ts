import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { isAlive } from '@parley/tool-local';
import { endRun, makeRunDirectory } from './run-directory';
import { serversOf } from './servers';

/** Nobody listens at port 1. */
const nowhere = {
  ...process.env,
  DATABASE_URL: 'postgres://127.0.0.1:1/nothing',
  REDIS_URL: 'redis://127.0.0.1:1',
  AMQP_URL: 'amqp://127.0.0.1:1',
};
const WHY = /127\.0\.0\.1:1 does not answer/;

describe('test servers that do not start', () => {
  let dir: string;
  beforeEach(() => (dir = makeRunDirectory()));
  afterEach(() => endRun(dir));

  const keeperPid = () => Number(readFileSync(join(dir, 'keeper.pid'), 'utf8'));

  it('tell why to every suite until the run ends, and leave nothing after it', async () => {
    await expect(serversOf(dir, nowhere)).rejects.toThrow(WHY);
    const keeper = keeperPid();
    expect(isAlive(keeper)).toBe(true);
    // The next suite starts nothing, and learns the same.
    await expect(serversOf(dir)).rejects.toThrow(/keeper\.log:\n(.*\n)*.*127\.0\.0\.1:1 does not answer/);
    await endRun(dir);
    expect(isAlive(keeper)).toBe(false);
    expect(existsSync(dir)).toBe(false);
  });

  it('are waited for no longer when their keeper is killed', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const asked = once(silent, 'connection');
    const servers = serversOf(dir, { ...nowhere, DATABASE_URL: `postgres://127.0.0.1:${port}/nothing` });
    const refused = expect(servers).rejects.toThrow('ended without a word');
    await asked;
    process.kill(keeperPid(), 'SIGKILL');
    await refused;
    silent.close();
  });

  it('leave their logs alone where they were to serve many runs', async () => {
    const lasting = join(dir, 'lasting');
    for (const name of ['logs', 'postgres']) mkdirSync(join(lasting, name), { recursive: true });
    writeFileSync(join(lasting, 'logs', 'postgres.log'), 'No room.');
    const keeper = spawn(
      process.execPath,
      [
        '--conditions=@parley/source',
        '-r',
        resolve(__dirname, '../jest/register.js'),
        join(__dirname, 'keeper/keeper.ts'),
        lasting,
      ],
      { env: nowhere, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const [said, [code]] = await Promise.all([text(keeper.stderr), once(keeper, 'exit')]);
    expect(code).toBe(1);
    expect(said).toMatch(WHY);
    expect(said).toContain('or unset it to let a private');
    expect(readdirSync(lasting)).toEqual(['logs']);
  });
});

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const REGISTER = resolve(__dirname, '../../testing/jest/register.js');

function argumentsFor(work: string): string[] {
  const program = `require(${JSON.stringify(resolve(__dirname, 'run-migration.ts'))}).runMigration(${work})`;
  return ['-r', REGISTER, '-e', program];
}

/** What a process prints and ends with that consists of a migration. */
function migrate(work: string): Promise<{ code: number; printed: string }> {
  return new Promise((done) => {
    execFile(process.execPath, argumentsFor(work), (error, stdout, stderr) =>
      done({ code: Number(error?.code ?? 0), printed: `${stdout}${stderr}` }),
    );
  });
}

describe('runMigration', () => {
  it('ends with 0 when the store is up to date', async () => {
    expect(await migrate('async () => undefined')).toEqual({ code: 0, printed: '' });
  });

  it('ends with 1 when it failed, though connections are open, and the log says why', async () => {
    const failing = `async () => { setInterval(() => undefined, 1000); throw new Error('column exists'); }`;
    const { code, printed } = await migrate(failing);
    expect(code).toBe(1);
    expect(JSON.parse(printed)).toMatchObject({
      level: 'fatal',
      context: 'Migration',
      err: { message: 'column exists' },
    });
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)('ends at once on %s, as process 1 would not by itself', async (signal, expected) => {
    const endless = `async () => { setInterval(() => undefined, 1000); console.log('at work'); }`;
    const child = spawn(process.execPath, argumentsFor(endless));
    let printed = '';
    const atWork = new Promise<void>((settle) =>
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk.toString();
        if (printed.includes('at work')) settle();
      }),
    );
    await atWork;
    child.kill(signal);
    expect(await once(child, 'close')).toEqual([expected, null]);
    expect(printed).toContain('A signal ends the migration');
  });
});

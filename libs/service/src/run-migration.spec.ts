import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

const REGISTER = resolve(__dirname, '../../testing/jest/register.js');

/** What a process prints and ends with that consists of a migration. */
function migrate(work: string): Promise<{ code: number; printed: string }> {
  const program = `require(${JSON.stringify(resolve(__dirname, 'run-migration.ts'))}).runMigration(${work})`;
  return new Promise((done) => {
    execFile(process.execPath, ['-r', REGISTER, '-e', program], (error, stdout, stderr) =>
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
});

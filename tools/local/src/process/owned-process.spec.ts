import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../fixtures/temporary';
import { stopLeftovers } from './leftovers';
import { OwnedProcess } from './owned-process';
import { isAlive, isOurs, pidFileOf, processTree, writePidFile } from './process-table';

const { dir, remove } = temporaryDirectory();
afterAll(remove);

const logFile = join(dir, 'logs', 'one.log');
const SAY_AND_WAIT = 'console.log("ready"); setInterval(() => {}, 1000);';

function owned(code: string, name = 'one', stopTimeoutMs = 5_000): OwnedProcess {
  return new OwnedProcess({
    name,
    dir,
    command: process.execPath,
    args: ['-e', code],
    logFile,
    stopSignal: 'SIGTERM',
    stopTimeoutMs,
  });
}

const saidReady = (): Promise<boolean> =>
  Promise.resolve(existsSync(logFile) && readFileSync(logFile, 'utf8').includes('ready'));

test('a stopped process leaves neither itself nor its pid file, and can be started again', async () => {
  const one = owned(SAY_AND_WAIT);
  for (let round = 0; round < 2; round++) {
    one.start();
    await one.waitUntil(saidReady, 10_000);
    const pid = one.pid ?? 0;
    expect(isOurs(pid, dir)).toBe(true);
    await one.stop();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(pidFileOf(dir, 'one'))).toBe(false);
  }
});

test('a process that ignores its stop signal is killed, its children too', async () => {
  const child = `require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);`;
  const deaf = owned(
    `process.on("SIGTERM", () => {}); ${child} console.log("deaf"); setInterval(() => {}, 1000);`,
    'deaf',
    200,
  );
  deaf.start();
  await deaf.waitUntil(() => Promise.resolve(readFileSync(logFile, 'utf8').includes('deaf')), 10_000);
  const tree = processTree(deaf.pid ?? 0);
  expect(tree).toHaveLength(2);
  await deaf.stop();
  expect(tree.filter(isAlive)).toEqual([]);
});

test('a process that ends while it starts is reported with the last lines of its log', async () => {
  const broken = owned('console.error("the reason"); process.exit(3)', 'broken');
  broken.start();
  const waiting = broken.waitUntil(() => Promise.resolve(false), 10_000);
  await expect(waiting).rejects.toThrow(/broken ended while it was starting[\s\S]*the reason/);
});

test('a full disk is named as such', async () => {
  const full = owned('console.error("write: No space left on device"); process.exit(1)', 'full');
  full.start();
  await expect(full.waitUntil(() => Promise.resolve(false), 10_000)).rejects.toMatchObject({
    advice: expect.stringContaining('disk is full') as string,
  });
});

test('a frozen process can still be stopped', async () => {
  const frozen = owned(SAY_AND_WAIT, 'frozen');
  frozen.start();
  await frozen.waitUntil(saidReady, 10_000);
  frozen.freeze();
  await frozen.stop();
  expect(frozen.pid).toBeUndefined();
});

test('what a crashed run left is stopped, a process of somebody else under the same number is not', async () => {
  const orphan = owned(SAY_AND_WAIT, 'orphan');
  orphan.start();
  const orphanPid = orphan.pid ?? 0;
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  writePidFile(dir, 'stranger', stranger.pid ?? 0);

  await expect(stopLeftovers(dir)).resolves.toEqual(['orphan']);

  expect(isAlive(orphanPid)).toBe(false);
  expect(isAlive(stranger.pid ?? 0)).toBe(true);
  expect(existsSync(pidFileOf(dir, 'stranger'))).toBe(false);
  stranger.kill('SIGKILL');
  await once(stranger, 'exit');
});

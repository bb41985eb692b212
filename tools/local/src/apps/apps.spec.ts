import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../fixtures/temporary';
import { ensureKeys } from '../keys';
import { isAlive } from '../process/process-table';
import { type AppsSetup, startApps } from './apps';
import { migrate } from './migrate';

const { dir, remove } = temporaryDirectory();
afterAll(remove);

/** Programs that keep to the conventions of an app: ports and addresses by environment, readiness over HTTP. */
const READY = `
  require('node:http').createServer((request, response) => response.end(process.env.DATABASE_URL))
    .listen(process.env.PORT, process.env.HOST, () => console.log('keys: ' + process.env.JWT_PRIVATE_KEYS_FILE));
  process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });`;

async function workspaceOf(programs: Record<string, string>): Promise<AppsSetup> {
  const workspace = join(dir, 'workspace');
  for (const [path, code] of Object.entries(programs)) {
    mkdirSync(join(workspace, path, '..'), { recursive: true });
    writeFileSync(join(workspace, path), code);
  }
  return { workspace, dir, keys: await ensureKeys(dir), environment: { DATABASE_URL: 'postgres://there' } };
}

test('apps start as often as asked, each on its own port, and drain at the end', async () => {
  const setup = await workspaceOf({ 'apps/auth/dist/main.js': READY, 'apps/realtime/dist/main.js': READY });
  const apps = await startApps({ ...setup, apps: ['auth', 'realtime'], scale: { realtime: 2 } });
  expect(apps.instances.map(({ name }) => name)).toEqual(['auth-1', 'realtime-1', 'realtime-2']);
  expect(new Set(apps.instances.map(({ port }) => port)).size).toBe(3);
  const [auth] = apps.of('auth');
  expect(await (await fetch(auth?.url ?? '')).text()).toBe('postgres://there');
  await apps.stop();
  const [authLog = '', realtimeLog = ''] = ['auth-1', 'realtime-1'].map((name) =>
    readFileSync(join(dir, 'logs', `${name}.log`), 'utf8'),
  );
  expect(authLog).toContain(`keys: ${setup.keys.privateFile}`);
  expect(authLog).toContain('drained');
  // Only auth signs, so only auth gets the private keys.
  expect(realtimeLog).toContain('keys: undefined');
});

test('one instance can be killed and started again at its address', async () => {
  const setup = await workspaceOf({ 'apps/auth/dist/main.js': READY });
  const apps = await startApps({ ...setup, apps: ['auth'] });
  const [auth] = apps.of('auth');
  const first = auth?.pid ?? 0;
  await auth?.kill();
  expect(isAlive(first)).toBe(false);
  expect(await auth?.isReady()).toBe(false);
  await auth?.start();
  expect(await auth?.isReady()).toBe(true);
  expect(auth?.pid).not.toBe(first);
  await apps.stop();
});

test('when one does not come up, its log is shown and the others are stopped', async () => {
  const broken = `console.error('PORT: is required'); process.exit(1)`;
  const setup = await workspaceOf({ 'apps/auth/dist/main.js': READY, 'apps/history/dist/main.js': broken });
  await expect(startApps({ ...setup, apps: ['auth', 'history'] })).rejects.toThrow(
    /history-1 ended while it was starting[\s\S]*PORT: is required/,
  );
});

test('an app that was not built is named', async () => {
  const setup = await workspaceOf({});
  await expect(startApps({ ...setup, apps: ['presence'] })).rejects.toThrow('apps/presence/dist/main.js');
});

test('a failing migration says whose it is and why', async () => {
  const setup = await workspaceOf({
    'apps/auth/dist/migrate.js': 'process.exit(process.env.DATABASE_URL ? 0 : 1)',
    'apps/history/dist/migrate.js': `console.error('column exists'); process.exit(1)`,
  });
  await migrate({ ...setup, apps: ['auth'] });
  await expect(migrate({ ...setup, apps: ['auth', 'history'] })).rejects.toThrow(
    /migration of history failed[\s\S]*column exists/,
  );
});

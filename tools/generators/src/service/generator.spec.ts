import { randomUUID } from 'node:crypto';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Tree } from '@nx/devkit';
import { createTreeWithEmptyWorkspace } from '@nx/devkit/testing';
import { accessTokenFor, testKeys } from '@parley/testing';
import serviceGenerator from './generator';

const run = promisify(execFile);
const WORKSPACE = resolve(__dirname, '../../../..');
const LISTS = [
  'tools/local/src/apps/catalogue.ts',
  'tools/gateway/src/render-environment.ts',
  'tools/gateway/src/render-config.ts',
  'tools/gateway/src/conformance/config.ts',
  'docker/kong/kong.yml',
];

// Jest cannot load Prettier into its module system; the templates are checked as they are instead.
process.env['NX_SKIP_FORMAT'] = 'true';

function treeOf(): Tree {
  const tree = createTreeWithEmptyWorkspace();
  for (const file of [...LISTS, 'apps/realtime/src/config.ts'])
    tree.write(file, readFileSync(join(WORKSPACE, file), 'utf8'));
  return tree;
}

test('a taken or unfit name is refused', async () => {
  for (const name of ['realtime', 'Guests', '1st', 'guest-book', '../evil'])
    await expect(serviceGenerator(treeOf(), { name })).rejects.toThrow(/is there already|is no app name/);
});

test('a list that has changed its shape is named', async () => {
  const tree = treeOf();
  tree.write(LISTS[0] ?? '', 'export const APPS = allFolders();');
  await expect(serviceGenerator(tree, { name: 'guests' })).rejects.toThrow(LISTS[0]);
});

test('the app is added to what starts and to what is routed', async () => {
  const tree = treeOf();
  await serviceGenerator(tree, { name: 'guests' });
  for (const file of LISTS) expect(tree.read(file, 'utf8')).toContain('guests');
  expect(tree.read('docker/kong/kong.yml', 'utf8')).toContain('targets: ${GUESTS_TARGETS}');
});

describe('in a workspace', () => {
  let root: string;
  let app: ChildProcess | undefined;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'parley-generated-'));
    for (const name of ['node_modules', 'libs', '.swcrc', 'tsconfig.base.json', 'jest.preset.js'])
      symlinkSync(join(WORKSPACE, name), join(root, name));
    const tree = treeOf();
    await serviceGenerator(tree, { name: 'guests' });
    for (const { path, content } of tree.listChanges()) {
      if (!path.startsWith('apps/guests/')) continue;
      mkdirSync(join(root, dirname(path)), { recursive: true });
      writeFileSync(join(root, path), content ?? '');
    }
  });
  afterAll(async () => {
    if (app?.exitCode === null && app.kill('SIGKILL')) await once(app, 'exit');
    rmSync(root, { recursive: true });
  });

  const inApp = (program: string, ...args: string[]): Promise<unknown> =>
    run(process.execPath, [join(WORKSPACE, 'node_modules', program), ...args], {
      cwd: join(root, 'apps/guests'),
    });

  test('the app starts, is ready, answers and drains', async () => {
    const register = join(WORKSPACE, 'libs/testing/jest/register.js');
    const { publicFile } = await testKeys();
    app = spawn(process.execPath, ['--conditions=@parley/source', '-r', register, 'src/main.ts'], {
      cwd: join(root, 'apps/guests'),
      env: { PATH: process.env['PATH'], PORT: '0', JWT_PUBLIC_KEYS_FILE: publicFile },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const url = `http://127.0.0.1:${await listeningPort(app)}`;
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    const alice = randomUUID();
    const authorization = `Bearer ${await accessTokenFor(alice)}`;
    const answer = await fetch(`${url}/v1/guests`, { headers: { authorization } });
    expect(await answer.json()).toEqual({ userId: alice });
    app.kill('SIGTERM');
    expect(await once(app, 'exit')).toEqual([0, null]);
  });

  test('its types hold', () => inApp('typescript/bin/tsc', '-p', 'tsconfig.json'));

  test('its own tests pass', () => inApp('jest/bin/jest.js'));

  test('its files are formatted', () =>
    inApp('prettier/bin/prettier.cjs', '--check', '.', '--config', join(WORKSPACE, '.prettierrc')));
});

/** The port that the app says on its standard output, as a line of JSON, when it listens. */
function listeningPort(app: ChildProcess): Promise<number> {
  let text = '';
  return new Promise((resolve, reject) => {
    app.stdout?.on('data', (chunk) => {
      text += String(chunk);
      const port = /"port":(\d+)/.exec(text)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    app.once('exit', () => reject(new Error(`the app ended: ${text}`)));
  });
}

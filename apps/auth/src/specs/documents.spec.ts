import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { limits } from '@parley/contracts';
import { call, startWorld, type World } from './world';

let world: World;
const directory = mkdtempSync(join(tmpdir(), 'parley-documents-'));
const openApi = {
  info: { title: 'parley', version: '1' },
  paths: { '/v1/a': { get: { summary: 'Read <b>', tags: ['Things'] }, post: { summary: 'Make' } } },
};
beforeAll(async () => {
  writeFileSync(join(directory, 'openapi.json'), JSON.stringify(openApi));
  world = await startWorld({ DOCUMENTS_DIR: directory });
});
afterAll(async () => {
  await world.stop();
  rmSync(directory, { recursive: true });
});

test('the limits are public', async () => {
  const { status, body } = await call<object>(world.services[0]!, 'GET', '/v1/limits');
  expect(status).toBe(200);
  expect(body).toEqual(limits);
});

test('the documents are served as they are', async () => {
  const { status, headers, body } = await call<object>(world.services[0]!, 'GET', '/docs/openapi.json');
  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('application/json');
  expect(body).toEqual(openApi);
});

test('one that is missing is not found', async () => {
  expect((await call(world.services[0]!, 'GET', '/docs/asyncapi.json')).status).toBe(404);
});

test('the page shows every operation, and can run nothing', async () => {
  const response = await fetch(`${world.services[0]!.url}/docs`);
  const page = await response.text();
  expect(response.headers.get('content-type')).toContain('text/html');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page).toContain('Read &lt;b&gt;');
  expect(page).toContain('<code>POST</code>');
  expect(page).not.toContain('<script');
});

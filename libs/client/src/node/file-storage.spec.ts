import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStorage } from './file-storage';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'parley-client-'));
});
afterAll(() => rm(directory, { recursive: true }));

it('finds again what another one kept', async () => {
  const first = new FileStorage(directory);
  await first.set('outbox.1/../x', '{"a":1}');
  await Promise.all([first.set('session', '"old"'), first.set('other', '"z"')]);
  await first.set('session', '"new"');
  const second = new FileStorage(directory);
  expect(await second.get('outbox.1/../x')).toBe('{"a":1}');
  expect(await second.get('session')).toBe('"new"');
  expect(await second.keys('outbox.')).toEqual(['outbox.1/../x']);
  await second.delete('session');
  await second.delete('never');
  expect(await first.get('session')).toBeUndefined();
});

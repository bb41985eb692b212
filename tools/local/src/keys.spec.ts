import { statSync } from 'node:fs';
import { ensureKeys, readJwks } from './keys';
import { temporaryDirectory } from './fixtures/temporary';

const { dir, remove } = temporaryDirectory();
afterAll(remove);

test('two that ask at once get the same key, and only the private file holds its secret', async () => {
  const [files] = await Promise.all([ensureKeys(dir), ensureKeys(dir), ensureKeys(dir)]);
  const [open] = readJwks<Record<string, unknown>>(files?.publicFile ?? '');
  const [secret] = readJwks<Record<string, unknown>>(files?.privateFile ?? '');
  expect(open).toMatchObject({ kid: secret?.['kid'], x: secret?.['x'], alg: 'ES256' });
  expect(open).not.toHaveProperty('d');
  expect(secret).toHaveProperty('d');
  expect(statSync(files?.privateFile ?? '').mode & 0o077).toBe(0);
});

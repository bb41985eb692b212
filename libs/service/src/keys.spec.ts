import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from './config';
import { PublicKeys } from './keys';

const directory = mkdtempSync(join(tmpdir(), 'parley-keys-'));
const file = join(directory, 'public.json');
afterAll(() => rmSync(directory, { recursive: true }));

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'one' };

test.each([
  ['no JSON', `hunter2 ${jwk.d}`, 'is not JSON'],
  ['another document', '{"hunter2": true}', 'is no JWKS'],
  ['a private key', JSON.stringify({ keys: [jwk] }), 'a private key must not be in the file'],
  [
    'a point off the curve',
    JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', kid: 'one', x: jwk.y, y: jwk.y }] }),
    'the key one is no key of the curve',
  ],
])('%s in the file of keys is told with the setting, and without the content', (_what, content, problem) => {
  writeFileSync(file, content);
  const load = () => new PublicKeys(file);
  expect(load).toThrow(ConfigError);
  expect(load).toThrow(/\n {2}JWT_PUBLIC_KEYS_FILE: /);
  expect(load).toThrow(problem);
  expect(load).not.toThrow(/hunter2/);
  expect(load).not.toThrow(jwk.d);
});

test('a file that is not there is told with its path', () => {
  expect(() => new PublicKeys(join(directory, 'none'))).toThrow(
    /JWT_PUBLIC_KEYS_FILE: \S+none cannot be read \(ENOENT\)/,
  );
});

import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TokenVerifier } from '@parley/service';
import { until } from '@parley/testing';
import { decodeProtectedHeader } from 'jose';
import { v7 as uuid } from 'uuid';
import { TokenSigner } from './token.signer';

const directory = mkdtempSync(join(tmpdir(), 'parley-keys-'));
const publicFile = join(directory, 'public.json');
const privateFile = join(directory, 'private.json');
const user = { userId: uuid(), sessionId: uuid() };
const closers: (() => void)[] = [];

afterAll(() => {
  for (const close of closers) close();
  rmSync(directory, { recursive: true });
});

function key(kid: string) {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    public: { ...pair.publicKey.export({ format: 'jwk' }), kid },
    private: { ...pair.privateKey.export({ format: 'jwk' }), kid },
  };
}

function write(file: string, keys: unknown[]): void {
  writeFileSync(file, JSON.stringify({ keys }));
}

function start() {
  const verifier = new TokenVerifier({
    JWT_PUBLIC_KEYS_FILE: publicFile,
    JWT_ISSUER: 'parley',
    JWT_AUDIENCE: 'parley',
  });
  closers.push(() => verifier.close());
  const settings = { privateKeysFile: privateFile, issuer: 'parley', audience: 'parley' };
  const signer = new TokenSigner(settings, verifier.publicKeys);
  closers.push(() => signer.onApplicationShutdown());
  return { verifier, signer };
}

test('keys rotate without a restart, and bad files change nothing', async () => {
  const [first, second] = [key('first'), key('second')];
  write(publicFile, [first.public]);
  write(privateFile, [first.private]);
  const { verifier, signer } = start();
  const old = await signer.sign('access', user, 60);
  expect(decodeProtectedHeader(old)).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: 'first' });

  write(publicFile, [first.public, second.public]);
  await until('the second key is known', () => verifier.publicKeys.find('second') !== undefined);
  // A key that nobody knows is never signed with.
  write(privateFile, [key('unknown').private]);
  signer.reload();
  expect(decodeProtectedHeader(await signer.sign('access', user, 60)).kid).toBe('first');
  // Neither a private key nor a torn file is taken for public keys.
  write(publicFile, [second.private]);
  verifier.publicKeys.reload();
  writeFileSync(publicFile, '{"keys":');
  verifier.publicKeys.reload();
  expect(verifier.publicKeys.find('first')).toBeDefined();

  write(publicFile, [first.public, second.public]);
  write(privateFile, [second.private, first.private]);
  const fresh = await until('the second key signs', async () => {
    const token = await signer.sign('access', user, 60);
    const { kid } = decodeProtectedHeader(token);
    expect(['first', 'second']).toContain(kid);
    return kid === 'second' && token;
  });
  for (const token of [old, fresh]) {
    expect(await verifier.verifyAccessToken(token)).toMatchObject(user);
  }
  write(publicFile, [second.public]);
  await until('the first key is gone', () => verifier.publicKeys.find('first') === undefined);
  await expect(verifier.verifyAccessToken(old)).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a signing key that is not published stops the start', () => {
  write(publicFile, [key('a').public]);
  write(privateFile, [key('b').private]);
  expect(start).toThrow('not among the public keys');
});

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importJWK, jwtVerify, type JWK } from 'jose';
import { AccessTokens, claimsOf } from './tokens';

describe('AccessTokens', () => {
  const dir = mkdtempSync(join(tmpdir(), 'parley-tokens-'));
  const file = join(dir, 'private.jwks.json');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(file, JSON.stringify({ keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'k1' }] }));
  afterAll(() => rmSync(dir, { recursive: true }));

  it('signs what a verifier accepts', async () => {
    const [userId, sessionId] = [randomUUID(), randomUUID()];
    const token = new AccessTokens(file).sign(userId, sessionId);
    const key = await importJWK(publicKey.export({ format: 'jwk' }) as JWK, 'ES256');
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      issuer: 'parley',
      audience: 'parley',
      typ: 'at+jwt',
      algorithms: ['ES256'],
    });
    expect(protectedHeader.kid).toBe('k1');
    expect(payload).toMatchObject({ sub: userId, sid: sessionId });
    expect(claimsOf(token)).toMatchObject({ sub: userId, sid: sessionId });
  });
});

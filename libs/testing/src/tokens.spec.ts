import { readJwks } from '@parley/tool-local';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JWK } from 'jose';
import { accessTokenFor, testKeys, ticketFor } from './index';

async function verify(token: string, typ: string) {
  const keys = createLocalJWKSet({ keys: readJwks<JWK>((await testKeys()).publicFile) });
  return jwtVerify(token, keys, { algorithms: ['ES256'], issuer: 'parley', audience: 'parley', typ });
}

test('an access token carries user and session and verifies with the public keys', async () => {
  const token = await accessTokenFor('alice', { sid: 'laptop' });
  const { payload } = await verify(token, 'at+jwt');
  expect(payload).toMatchObject({ sub: 'alice', sid: 'laptop' });
});

test('a ticket is no access token', async () => {
  const ticket = await ticketFor('alice');
  await expect(verify(ticket, 'at+jwt')).rejects.toThrow('typ');
  await expect(verify(ticket, 'ticket+jwt')).resolves.toBeDefined();
});

test('an expired token is refused', async () => {
  await expect(verify(await accessTokenFor('alice', { expiresInS: -5 }), 'at+jwt')).rejects.toThrow('exp');
});

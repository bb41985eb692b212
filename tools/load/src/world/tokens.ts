import { createPrivateKey, type KeyObject, randomUUID, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const LIFETIME_S = 600;

/**
 * Signs access tokens with a deployment's own private key, as auth does. Hundreds of users need not log in, one argon2
 * hash each, before every run, and a run may outlast the ten minutes of a token.
 */
export class AccessTokens {
  private readonly key: KeyObject;
  private readonly header: string;

  /** @param privateKeysFile JWKS with private ES256 keys, of which the first signs. */
  constructor(
    privateKeysFile: string,
    private readonly names = { issuer: 'parley', audience: 'parley' },
  ) {
    const { keys } = JSON.parse(readFileSync(privateKeysFile, 'utf8')) as {
      keys: ({ kid: string } & object)[];
    };
    const jwk = keys[0];
    if (!jwk) throw new Error(`${privateKeysFile} holds no key.`);
    this.key = createPrivateKey({ key: jwk, format: 'jwk' });
    this.header = encode({ alg: 'ES256', kid: jwk.kid, typ: 'at+jwt' });
  }

  /** A fresh access token, good for ten minutes. */
  sign(userId: string, sessionId: string): string {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: this.names.issuer,
      aud: this.names.audience,
      sub: userId,
      sid: sessionId,
      jti: randomUUID(),
      iat: now,
      nbf: now,
      exp: now + LIFETIME_S,
    };
    const input = `${this.header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.key, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }
}

/** The claims of a token, unchecked. */
export function claimsOf(token: string): { sub: string; sid: string } {
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { sub: string; sid: string };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

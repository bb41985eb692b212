import { createPrivateKey, generateKeyPairSync, sign, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { PublicJwk } from '../render-config';

/** A signing key that the suite made for itself; `jwk` holds the private part. */
export interface SuiteKey {
  kid: string;
  jwk: JsonWebKey;
}

export function makeKey(kid: string): SuiteKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, jwk: privateKey.export({ format: 'jwk' }) };
}

export function publicPart({ kid, jwk: { kty, crv, x, y } }: SuiteKey): PublicJwk {
  return { kty, crv, x, y, kid };
}

export interface TokenOptions {
  /** Replaces fields of the header; `undefined` removes one. */
  header?: Record<string, unknown>;
  /** Replaces claims; `undefined` removes one. */
  claims?: Record<string, unknown>;
  /** Replaces the signature. */
  signature?: Buffer;
}

/** A token as auth makes them, valid for ten minutes, with whatever is to be wrong about it. */
export function makeToken({ kid, jwk }: SuiteKey, subject: string, options: TokenOptions = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const head = { alg: 'ES256', typ: 'at+jwt', kid, ...options.header };
  const times = { iat: now - 5, nbf: now - 5, exp: now + 595 };
  const claims = { iss: 'parley', aud: 'parley', sub: subject, sid: 'suite', ...times, ...options.claims };
  const text = `${encode(head)}.${encode(claims)}`;
  const signature = options.signature ?? signText(text, createPrivateKey({ key: jwk, format: 'jwk' }));
  return `${text}.${signature.toString('base64url')}`;
}

/** A realtime ticket. */
export function makeTicket(key: SuiteKey, subject: string): string {
  return makeToken(key, subject, { header: { typ: 'ticket+jwt' } });
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function signText(text: string, key: KeyObject): Buffer {
  return sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
}

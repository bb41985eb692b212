import { ensureKeys, type KeyFiles, readJwks } from '@parley/tool-local';
import { importJWK, type JWK, SignJWT } from 'jose';
import { v7 as uuid } from 'uuid';
import { runDir } from './servers';

/** The key files of this run, for JWT_PUBLIC_KEYS_FILE and JWT_PRIVATE_KEYS_FILE. Needs no servers. */
export function testKeys(): Promise<KeyFiles> {
  return ensureKeys(runDir());
}

export interface TokenOptions {
  /** Session id; random when not given. */
  sid?: string;
  /** Token id; random when not given. */
  jti?: string;
  /** Seconds from now until it expires (default 600); negative for an expired one. */
  expiresInS?: number;
  /** Seconds from now until it becomes valid (default -1). */
  notBeforeS?: number;
  issuer?: string;
  audience?: string;
}

/** An access token of `userId`, signed with the key of `testKeys`, as auth issues them. */
export function accessTokenFor(userId: string, options: TokenOptions = {}): Promise<string> {
  return sign('at+jwt', userId, { expiresInS: 600, ...options });
}

/** A realtime ticket of `userId`, good for 30 s and one socket. */
export function ticketFor(userId: string, options: TokenOptions = {}): Promise<string> {
  return sign('ticket+jwt', userId, { expiresInS: 30, ...options });
}

async function sign(
  typ: string,
  userId: string,
  options: TokenOptions & { expiresInS: number },
): Promise<string> {
  const { privateFile } = await testKeys();
  const [jwk] = readJwks<JWK & { kid: string }>(privateFile);
  if (!jwk) throw new Error(`${privateFile} holds no key`);
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sid: options.sid ?? uuid() })
    .setProtectedHeader({ alg: 'ES256', kid: jwk.kid, typ })
    .setIssuer(options.issuer ?? 'parley')
    .setAudience(options.audience ?? 'parley')
    .setSubject(userId)
    .setJti(options.jti ?? uuid())
    .setIssuedAt(now)
    .setNotBefore(now + (options.notBeforeS ?? -1))
    .setExpirationTime(now + options.expiresInS)
    .sign(await importJWK(jwk, 'ES256'));
}

import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { OnApplicationShutdown } from '@nestjs/common';
import { getLogger, tokenTypes, type PublicKeys, type TokenKind } from '@parley/service';
import { SignJWT } from 'jose';
import { v7 as uuid } from 'uuid';
import { z } from 'zod';

const privateJwks = z.object({
  keys: z
    .array(
      z.object({
        kid: z.string().min(1),
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        x: z.string(),
        y: z.string(),
        d: z.string(),
      }),
    )
    .min(1),
});

const pollMs = 1000;
/** Clocks differ a little; a gateway whose own is behind must not refuse a fresh token. */
const notBeforeSlackSeconds = 5;

export interface SignerSettings {
  privateKeysFile: string;
  issuer: string;
  audience: string;
}

/**
 * Signs access tokens and tickets with the first private key of the file, which is watched: to rotate, publish the next
 * public key, wait until everybody has it, then put its private half first.
 */
export class TokenSigner implements OnApplicationShutdown {
  private key: { kid: string; privateKey: KeyObject };
  private readonly log = getLogger('TokenSigner');
  private readonly onChange = () => this.reload();

  /** @throws when the file is unreadable or its first key is not published */
  constructor(
    private readonly settings: SignerSettings,
    private readonly publicKeys: PublicKeys,
  ) {
    this.key = this.load();
    watchFile(settings.privateKeysFile, { interval: pollMs, persistent: false }, this.onChange);
  }

  sign(
    kind: TokenKind,
    user: { userId: string; sessionId: string },
    lifetimeSeconds: number,
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ sid: user.sessionId })
      .setProtectedHeader({ alg: 'ES256', kid: this.key.kid, typ: tokenTypes[kind] })
      .setIssuer(this.settings.issuer)
      .setAudience(this.settings.audience)
      .setSubject(user.userId)
      .setJti(uuid())
      .setIssuedAt(now)
      .setNotBefore(now - notBeforeSlackSeconds)
      .setExpirationTime(now + lifetimeSeconds)
      .sign(this.key.privateKey);
  }

  onApplicationShutdown(): void {
    unwatchFile(this.settings.privateKeysFile, this.onChange);
  }

  private load() {
    const document = privateJwks.parse(JSON.parse(readFileSync(this.settings.privateKeysFile, 'utf8')));
    const [jwk] = document.keys;
    if (!jwk || !this.publicKeys.find(jwk.kid)) {
      throw new Error(
        'The first private key is not among the public keys: nobody could check what it signs.',
      );
    }
    return { kid: jwk.kid, privateKey: createPrivateKey({ key: jwk, format: 'jwk' }) };
  }

  /** Reads the file again. */
  reload(): void {
    try {
      this.key = this.load();
      this.log.info({ kid: this.key.kid }, 'The signing key was reloaded.');
    } catch (error) {
      this.log.error({ err: error }, 'The file of private keys is bad; the last good key goes on signing.');
    }
  }
}

import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { OnApplicationShutdown } from '@nestjs/common';
import {
  ConfigError,
  getLogger,
  keyOf,
  readKeyFile,
  tokenTypes,
  watchSettingsFile,
  type PublicKeys,
  type TokenKind,
} from '@parley/service';
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

const SETTING = 'JWT_PRIVATE_KEYS_FILE';
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
  private readonly unwatch: () => void;

  /** @throws ConfigError when the file is unreadable or its first key is not published */
  constructor(
    private readonly settings: SignerSettings,
    private readonly publicKeys: PublicKeys,
  ) {
    this.key = this.load();
    this.unwatch = watchSettingsFile(settings.privateKeysFile, () => this.reload());
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
    this.unwatch();
  }

  private load() {
    const document = readKeyFile(SETTING, this.settings.privateKeysFile, privateJwks);
    const [jwk] = document.keys;
    if (!jwk || !this.publicKeys.find(jwk.kid)) {
      throw new ConfigError([
        `${SETTING}: the first key is not among the public keys, so nobody could check what it signs`,
      ]);
    }
    return { kid: jwk.kid, privateKey: keyOf(SETTING, jwk, createPrivateKey) };
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

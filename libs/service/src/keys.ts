import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { z } from 'zod';
import { getLogger } from './logging';

/** One public ES256 key as it stands in a JWKS document. Private parts are refused: they have no place in this file. */
const publicJwk = z.object({
  kid: z.string().min(1).max(128),
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.never('a private key must not be in the file of public keys').optional(),
  alg: z.literal('ES256').default('ES256'),
  use: z.literal('sig').default('sig'),
});
export const publicJwks = z.object({ keys: z.array(publicJwk).min(1).max(10) });
export type PublicJwks = z.infer<typeof publicJwks>;

const pollMs = 1000;

/**
 * The keys by which tokens are checked, current and next, from a JWKS file. The file is watched: a rotated key is known
 * within about a second. A file that turns bad is reported and the last good keys stay.
 */
export class PublicKeys {
  private keys = new Map<string, KeyObject>();
  private document: PublicJwks;
  private readonly log = getLogger('PublicKeys');
  private readonly onChange = () => this.reload();

  /** @throws when the file cannot be read or is no JWKS of ES256 keys. */
  constructor(private readonly file: string) {
    this.document = this.load();
    // Polled by path, since mounted secrets are replaced by swapping a link.
    watchFile(file, { interval: pollMs, persistent: false }, this.onChange);
  }

  find(kid: string): KeyObject | undefined {
    return this.keys.get(kid);
  }

  /** The document as it may be shown to anybody. */
  get jwks(): PublicJwks {
    return this.document;
  }

  close(): void {
    unwatchFile(this.file, this.onChange);
  }

  private load(): PublicJwks {
    const document = publicJwks.parse(JSON.parse(readFileSync(this.file, 'utf8')));
    this.keys = new Map(
      document.keys.map((key) => [key.kid, createPublicKey({ key: { ...key }, format: 'jwk' })]),
    );
    this.document = document;
    return document;
  }

  /** Reads the file again. */
  reload(): void {
    try {
      this.load();
      this.log.info({ kids: [...this.keys.keys()] }, 'The public keys were reloaded.');
    } catch (error) {
      this.log.error({ err: error }, 'The file of public keys is bad; the last good keys stay.');
    }
  }
}

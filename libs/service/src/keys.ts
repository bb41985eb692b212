import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError } from './config';
import { getLogger } from './logging';
import { watchSettingsFile } from './watched-file';

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

/**
 * Reads a key file for a setting. What is wrong is said with the setting's name and never with anything of the content.
 *
 * @throws ConfigError
 */
export function readKeyFile<T>(setting: string, file: string, schema: z.ZodType<T>): T {
  const fail = (problem: string) => new ConfigError([`${setting}: ${file} ${problem}`]);
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fail(code === undefined ? 'is not JSON' : `cannot be read (${code})`);
  }
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const issues = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'document'}: ${message}`,
  );
  throw fail(`is no JWKS of ES256 keys (${issues.slice(0, 3).join('; ')})`);
}

/**
 * The keys by which tokens are checked, current and next, from a JWKS file. The file is watched: a rotated key is known
 * within about a second. A file that turns bad is reported and the last good keys stay.
 */
export class PublicKeys {
  private keys = new Map<string, KeyObject>();
  private document: PublicJwks;
  private readonly log = getLogger('PublicKeys');
  /** Ends the watching of the file. */
  readonly close: () => void;

  /** @throws ConfigError when the file cannot be read or is no JWKS of ES256 keys. */
  constructor(private readonly file: string) {
    this.document = this.load();
    this.close = watchSettingsFile(file, () => this.reload());
  }

  find(kid: string): KeyObject | undefined {
    return this.keys.get(kid);
  }

  /** The document as it may be shown to anybody. */
  get jwks(): PublicJwks {
    return this.document;
  }

  private load(): PublicJwks {
    const document = readKeyFile('JWT_PUBLIC_KEYS_FILE', this.file, publicJwks);
    this.keys = new Map(
      document.keys.map((key) => [key.kid, keyOf('JWT_PUBLIC_KEYS_FILE', key, createPublicKey)]),
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

/**
 * The key of a JWK, whose coordinates may be no point of the curve.
 *
 * @throws ConfigError
 */
export function keyOf(
  setting: string,
  jwk: { kid: string },
  create: (input: { key: JsonWebKey; format: 'jwk' }) => KeyObject,
): KeyObject {
  try {
    return create({ key: { ...jwk }, format: 'jwk' });
  } catch {
    throw new ConfigError([`${setting}: the key ${jwk.kid} is no key of the curve P-256`]);
  }
}

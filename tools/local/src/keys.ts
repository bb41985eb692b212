import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { v7 as uuid } from 'uuid';

/** Files with the ES256 keys of a deployment, both JWKS. */
export interface KeyFiles {
  publicFile: string;
  privateFile: string;
}

/**
 * The key files under `dir`/keys, made with one fresh key at the first call. Both appear together, by the rename of
 * their folder, so that of two processes that do this at once both end up with the same key.
 */
export async function ensureKeys(dir: string): Promise<KeyFiles> {
  const folder = join(dir, 'keys');
  const files = {
    publicFile: join(folder, 'public.jwks.json'),
    privateFile: join(folder, 'private.jwks.json'),
  };
  if (existsSync(folder)) return files;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: uuid(), alg: 'ES256', use: 'sig' };
  const { d: _private, ...publicJwk } = jwk;
  mkdirSync(dir, { recursive: true });
  const draft = mkdtempSync(`${folder}-`);
  write(join(draft, 'private.jwks.json'), { keys: [jwk] });
  write(join(draft, 'public.jwks.json'), { keys: [publicJwk] });
  try {
    renameSync(draft, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
    rmSync(draft, { recursive: true });
  }
  return files;
}

/** The environment by which every app finds the keys; the private ones are for auth alone. */
export function keyEnvironment(files: KeyFiles, app: string): Record<string, string> {
  return {
    JWT_PUBLIC_KEYS_FILE: files.publicFile,
    ...(app === 'auth' ? { JWT_PRIVATE_KEYS_FILE: files.privateFile } : {}),
  };
}

/** Reads a JWKS file. */
export function readJwks<Key>(file: string): Key[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { keys: Key[] }).keys;
}

function write(file: string, content: unknown): void {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
}

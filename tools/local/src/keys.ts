import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { v7 as uuid } from 'uuid';

/** Files with the ES256 keys of a deployment, both JWKS. */
export interface KeyFiles {
  publicFile: string;
  privateFile: string;
}

/** The key files under `dir`/keys, made with one fresh key at the first call. */
export async function ensureKeys(dir: string): Promise<KeyFiles> {
  const folder = join(dir, 'keys');
  const files = {
    publicFile: join(folder, 'public.jwks.json'),
    privateFile: join(folder, 'private.jwks.json'),
  };
  if (existsSync(files.publicFile) && existsSync(files.privateFile)) return files;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: uuid(), alg: 'ES256', use: 'sig' };
  const { d: _private, ...publicJwk } = jwk;
  write(files.privateFile, { keys: [jwk] });
  write(files.publicFile, { keys: [publicJwk] });
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
  writeFileSync(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

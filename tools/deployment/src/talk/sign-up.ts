import { randomBytes } from 'node:crypto';
import { ParleyClient, type ParleyClientOptions } from '@parley/client';

/** Somebody new, with a socket that is up to date. */
export async function signUp(
  url: string,
  name: string,
  options: Omit<ParleyClientOptions, 'url'> = {},
): Promise<ParleyClient> {
  const client = new ParleyClient({ url, messagesMax: Number.MAX_SAFE_INTEGER, ...options });
  const username = `${name}_${randomBytes(6).toString('hex')}`;
  await client.register({
    email: `${username}@example.com`,
    username,
    password: randomBytes(12).toString('base64url'),
    displayName: name,
  });
  await client.connect();
  await client.synced();
  return client;
}

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ParleyClient, ParleyError, type ParleyClientOptions, type SessionUser } from '@parley/client';

/** Address of the gateway of the system that this run started. */
export function gatewayUrl(): string {
  const url = process.env['PARLEY_E2E_URL'];
  if (!url) throw new Error('PARLEY_E2E_URL is not set: run jest with the jest.config.js of this project.');
  return url;
}

export interface Person {
  client: ParleyClient;
  user: SessionUser;
  password: string;
}

const PASSWORD = 'correct horse battery';
const opened: ParleyClient[] = [];

/** Closes every client of the spec. To be called by `afterAll`. */
export async function closeClients(): Promise<void> {
  await Promise.all(opened.splice(0).map((client) => client.close()));
}

export function newClient(options: Partial<ParleyClientOptions> = {}): ParleyClient {
  const client = new ParleyClient({ url: gatewayUrl(), ...options });
  opened.push(client);
  return client;
}

/** Somebody new, signed in and not connected. Names are unique, so specs share nothing. */
export async function person(name: string, options: Partial<ParleyClientOptions> = {}): Promise<Person> {
  const client = newClient(options);
  const username = `${name}-${randomUUID().slice(0, 12)}`;
  const user = await registered(client, username, name);
  return { client, user, password: PASSWORD };
}

async function registered(client: ParleyClient, username: string, displayName: string): Promise<SessionUser> {
  const email = `${username}@example.com`;
  try {
    return await answered(() => client.register({ email, username, password: PASSWORD, displayName }));
  } catch (error) {
    // The answer to an earlier attempt was lost.
    if (!(error instanceof ParleyError) || error.code !== 'conflict') throw error;
    return answered(() => client.login({ login: username, password: PASSWORD }));
  }
}

/** Repeats what was answered with `unavailable`, as any program would: a busy machine, a view that is behind. */
export async function answered<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'unavailable') throw error;
      await delay(error.retryAfterMs ?? 500);
    }
  }
}

/** The same, connected and in step. */
export async function connected(name: string, options: Partial<ParleyClientOptions> = {}): Promise<Person> {
  const someone = await person(name, options);
  await someone.client.connect();
  await someone.client.synced();
  return someone;
}

/** Another device of the same person. */
export async function anotherDevice(
  of: Person,
  options: Partial<ParleyClientOptions> = {},
): Promise<ParleyClient> {
  const client = newClient(options);
  await client.login({ login: of.user.username, password: of.password });
  return client;
}

/** Resolves once `holds` does, asked again whenever the client's store changes. */
export function until(client: ParleyClient, holds: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    if (holds()) return resolve();
    const events = ['message', 'conversation', 'removed', 'reset'] as const;
    const offs = events.map((event) =>
      client.store.on(event, () => {
        if (!holds()) return;
        for (const off of offs) off();
        resolve();
      }),
    );
  });
}

/** The bodies of a conversation as a client shows them, in order. */
export function bodies(client: ParleyClient, conversationId: string): (string | null)[] {
  return client.store.messages(conversationId).map(({ body }) => body);
}

import { ParleyClient, ParleyError } from '@parley/client';
import { v7 as uuid } from 'uuid';
import { LocalError } from '../system/local-error';

/** A person that anybody at this machine may log in as. */
export interface DemoLogin {
  username: string;
  password: string;
}

const TIMEOUT_MS = 30_000;

/** alice and bob: the same names and password at every start of one run directory. */
export function demoLogins(password: string): [DemoLogin, DemoLogin] {
  return [
    { username: 'alice', password },
    { username: 'bob', password },
  ];
}

/**
 * Sends one message from the first person to the second through the gateway, as any client would, and waits until it
 * arrives. Registers both where they do not exist yet. Returns the milliseconds from sending to arrival.
 * @throws LocalError that says which step did not work.
 */
export async function proveDelivery(url: string, logins: [DemoLogin, DemoLogin]): Promise<number> {
  const sender = new ParleyClient({ url, device: 'npm start' });
  const receiver = new ParleyClient({ url, device: 'npm start' });
  try {
    const [, to] = await step(
      'Logging in',
      Promise.all([enter(sender, logins[0]), enter(receiver, logins[1])]),
    );
    const { id: conversationId } = await step('Opening a conversation', sender.direct(to));
    await step('Connecting', Promise.all([sender.connect(), receiver.connect()]));
    const clientMessageId = uuid();
    const arrived = receiver.store.once(
      'message',
      ({ message }) => message.clientMessageId === clientMessageId,
    );
    const begin = performance.now();
    const body = `${logins[0].username} says hello.`;
    await step('Sending', sender.send({ conversationId, clientMessageId, body }).stored);
    await step('Delivering', arrived);
    return performance.now() - begin;
  } finally {
    await Promise.allSettled([leave(sender), leave(receiver)]);
  }
}

/** Returns the person's id. */
async function enter(client: ParleyClient, { username, password }: DemoLogin): Promise<string> {
  try {
    return (await client.login({ login: username, password })).id;
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== 'invalid_credentials') throw error;
  }
  const displayName = `${username[0]?.toUpperCase()}${username.slice(1)}`;
  const user = await client.register({ email: `${username}@example.com`, username, password, displayName });
  return user.id;
}

/** The proof's own sessions would otherwise pile up, one pair for each start. */
async function leave(client: ParleyClient): Promise<void> {
  if (client.user) await client.logout();
  await client.close();
}

async function step<Result>(name: string, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    const advice = 'The logs of the apps under .local/logs say why.';
    throw new LocalError(`${name} did not work: ${(error as Error).message}`, advice);
  } finally {
    clearTimeout(timer);
  }
}

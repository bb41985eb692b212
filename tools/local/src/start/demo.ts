import { io, type Socket } from 'socket.io-client';
import { v7 as uuid } from 'uuid';
import { LocalError } from '../system/local-error';

/** A person that anybody at this machine may log in as. */
export interface DemoLogin {
  username: string;
  password: string;
}

interface Person {
  id: string;
  accessToken: string;
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
export async function proveDelivery(address: string, [from, to]: [DemoLogin, DemoLogin]): Promise<number> {
  const [sender, receiver] = await Promise.all([enter(address, from), enter(address, to)]);
  const conversation = await createDirect(address, sender, receiver);
  const sockets = await Promise.all([connect(address, sender), connect(address, receiver)]);
  const [sending, receiving] = sockets;
  try {
    const clientMessageId = uuid();
    const arrived = arrival(receiving, clientMessageId);
    const begin = performance.now();
    const message = { conversationId: conversation, clientMessageId, body: `${from.username} says hello.` };
    const answer = (await sending.timeout(TIMEOUT_MS).emitWithAck('message:send', message)) as SendAnswer;
    if (!answer.ok) throw broken(`The message was refused: ${answer.error.code}, ${answer.error.message}`);
    await arrived;
    return performance.now() - begin;
  } catch (error) {
    if (error instanceof LocalError) throw error;
    throw broken(`The message was not acknowledged: ${(error as Error).message}`);
  } finally {
    for (const socket of sockets) socket.disconnect();
  }
}

type SendAnswer = { ok: true } | { ok: false; error: { code: string; message: string } };

async function enter(address: string, { username, password }: DemoLogin): Promise<Person> {
  const login = await post(address, '/v1/auth/login', { login: username, password });
  const answer =
    login.status === 401
      ? await post(address, '/v1/auth/register', {
          email: `${username}@example.com`,
          username,
          password,
          displayName: username[0]?.toUpperCase() + username.slice(1),
        })
      : login;
  if (answer.status > 201) throw broken(`${username} cannot log in: ${JSON.stringify(answer.body)}`);
  const { user, tokens } = answer.body as { user: { id: string }; tokens: { accessToken: string } };
  return { id: user.id, accessToken: tokens.accessToken };
}

async function createDirect(address: string, sender: Person, receiver: Person): Promise<string> {
  const body = { type: 'direct', memberIds: [receiver.id] };
  const answer = await post(address, '/v1/conversations', body, sender.accessToken);
  if (answer.status > 201) throw broken(`The conversation was refused: ${JSON.stringify(answer.body)}`);
  return (answer.body as { conversation: { id: string } }).conversation.id;
}

async function post(
  address: string,
  path: string,
  body: unknown,
  accessToken?: string,
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${address}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(accessToken ? { authorization: `Bearer ${accessToken}` } : {}),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.status, body: await response.json() };
}

function connect(address: string, { accessToken }: Person): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = io(address, {
      path: '/realtime',
      transports: ['websocket'],
      extraHeaders: { authorization: `Bearer ${accessToken}` },
      forceNew: true,
    });
    const timer = setTimeout(() => fail('no "ready" came'), TIMEOUT_MS);
    const fail = (reason: string): void => {
      clearTimeout(timer);
      socket.disconnect();
      reject(broken(`The socket did not open: ${reason}`));
    };
    let lastError = '';
    socket.on('connect_error', (error) => {
      lastError = error.message;
      if (!socket.active) fail(lastError);
    });
    socket.once('ready', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

function arrival(socket: Socket, clientMessageId: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(broken('The message did not arrive.')), TIMEOUT_MS);
    socket.on('message:created', (event: { message?: { clientMessageId?: string } }) => {
      if (event.message?.clientMessageId !== clientMessageId) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

function broken(message: string): LocalError {
  return new LocalError(message, 'The logs of the apps under .local/logs say why.');
}

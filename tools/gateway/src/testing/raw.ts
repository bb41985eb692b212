import { connect, type Socket } from 'node:net';

/** Sends bytes as they are and returns all that comes back until the other side closes. */
export function exchangeRaw(url: string, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = openRaw(url);
  for (const part of parts) socket.write(part);
  return readAll(socket);
}

export function openRaw(url: string): Socket {
  const { hostname, port } = new URL(url);
  return connect(Number(port), hostname).setNoDelay(true);
}

/** Everything until the end; a reset ends it as well. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

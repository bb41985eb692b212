import type { IncomingMessage, ServerResponse } from 'node:http';

/** Where no plugin sets a bound, this one holds. */
export const BODY_BYTES_MAX = 16 * 2 ** 20;
const LINGER_MS = 5_000;
const LINGER_BYTES_MAX = 16 * 2 ** 20;

/** Reads a request's body as a whole, as Kong does, so that a slow client never occupies a service. */
export function bodyReader(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean) {
  let reading: Promise<Buffer | undefined> | undefined;
  return (bytesMax: number): Promise<Buffer | undefined> => {
    reading ??= (expectsContinue && response.writeContinue(), readAll(request, bytesMax));
    return reading;
  };
}

function readAll(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const stop = () => request.off('data', onData).off('end', onEnd).off('close', onClose);
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        stop();
        request.pause();
        resolve(undefined);
      } else chunks.push(chunk);
    };
    const onEnd = () => {
      stop();
      resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    };
    const onClose = () => {
      stop();
      reject(new ClientGone());
    };
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** The client closed its connection before its request was complete. */
export class ClientGone extends Error {}

/**
 * Swallows the rest of a body that was refused, within bounds: closing at once would reset the connection before the
 * client has read why.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES_MAX) socket.destroy();
  });
  request.on('error', () => undefined);
  request.on('end', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
  request.resume();
}

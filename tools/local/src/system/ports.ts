import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LocalError } from './local-error';

/**
 * Ports are taken below the kernel's range for outgoing connections (32768 and up on Linux, 49152 on others). Inside
 * it, a client that retries against a stopped server can be given the server's own port as its local one, connect
 * to itself, and keep the server from coming back.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_700;
const TRIES = 200;

const handedOut = new Set<number>();

/** Whether a server could listen on 127.0.0.1:`port` right now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => resolve(true)));
  });
}

/** A free loopback port, never the same twice in one process. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (handedOut.has(port) || !(await isPortFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new LocalError(
    `No free port between ${FIRST_PORT} and ${LAST_PORT} on 127.0.0.1.`,
    'Stop programs that listen there.',
  );
}

/** `wanted` when it is still free, else another free port: a restart keeps its addresses where it can. */
export async function keepPort(wanted: number | undefined): Promise<number> {
  if (wanted !== undefined && !handedOut.has(wanted) && (await isPortFree(wanted))) {
    handedOut.add(wanted);
    return wanted;
  }
  return freePort();
}

/** Gives a port back, so that a later start in this process may keep it. */
export function releasePort(port: number): void {
  handedOut.delete(port);
}

import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A server reached through a line that a spec can break. */
export interface Interruptible {
  /** The server's address, by way of this line. */
  url: string;
  /** Breaks every connection and refuses new ones, as a server that is down does. */
  cut(): Promise<void>;
  /** Connections stand and are accepted, but nothing passes, as with a server that is frozen. */
  freeze(): void;
  /** Lets everything pass again. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** Puts a line that can be cut and frozen before the server of `targetUrl`: an outage for one suite alone. */
export async function interruptible(targetUrl: string): Promise<Interruptible> {
  const target = firstHost(targetUrl);
  const sockets = new Set<Socket>();
  let frozen = false;
  let server: Server | undefined;

  const accept = (near: Socket) => {
    const far = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      if (frozen) from.pause();
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  };
  const open = async (port: number) => {
    const opened = createServer(accept);
    await new Promise<void>((resolve, reject) => {
      opened.once('error', reject);
      opened.listen(port, '127.0.0.1', resolve);
    });
    server = opened;
    return (opened.address() as AddressInfo).port;
  };
  const cut = async () => {
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    server = undefined;
    for (const socket of sockets) socket.destroy();
    await closed;
  };

  const port = await open(0);
  const url = firstHost(targetUrl);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return {
    url: url.href,
    cut,
    freeze: () => {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    restore: async () => {
      frozen = false;
      for (const socket of sockets) socket.resume();
      if (!server) await open(port);
    },
    close: cut,
  };
}

/** A MongoDB client that finds a replica set goes on to its members' own addresses, past the line, unless told not to. */
function firstHost(targetUrl: string): URL {
  const url = new URL(targetUrl.replace(/,[^/]*/, ''));
  if (url.protocol !== 'mongodb:') return url;
  url.searchParams.delete('replicaSet');
  url.searchParams.set('directConnection', 'true');
  return url;
}

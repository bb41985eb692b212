import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** What an echo service says that it got. */
export interface Echo {
  /** Name of the echo service. */
  name: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface EchoService {
  name: string;
  port: number;
  close(): Promise<void>;
}

/**
 * Answers every request with what it got, and every WebSocket message with itself. Some paths ask for more:
 * `…/status/418` for a status, `/faults/reset` for a broken connection, `/faults/slow` for no answer.
 */
export async function startEcho(name: string, port: number, host: string): Promise<EchoService> {
  const server = createServer((request, response) => {
    const path = request.url!.split('?', 1)[0]!;
    if (path === '/faults/slow') return;
    if (path === '/faults/reset') return void request.socket.resetAndDestroy();
    const asked = /\/status\/(\d{3})$/.exec(path);
    if (asked) {
      response.writeHead(Number(asked[1]), { 'content-type': 'text/x-echo' });
      return void response.end(`${name} says ${asked[1]}`);
    }
    readBody(request).then(
      (body) => {
        const { method, url, headers } = request;
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ name, method, url, headers, body }));
      },
      () => response.destroy(),
    );
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket: Socket, head) => {
    sockets.handleUpgrade(request, socket, head, (client) => {
      client.send(JSON.stringify({ name, url: request.url, headers: request.headers }));
      client.on('message', (data, isBinary) => client.send(data as Buffer, { binary: isBinary }));
    });
  });
  await listen(server, port, host);
  return {
    name,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

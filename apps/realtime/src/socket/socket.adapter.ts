import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { AbstractWsAdapter } from '@nestjs/websockets';
import { limits, SOCKET_PATH } from '@parley/contracts';
import { Server, type ServerOptions } from 'socket.io';
import { metrics } from '../metrics';
import { Arrivals } from './arrivals';
import { Cluster } from './cluster';
import { Handshake } from './handshake';
import { GuardedServer } from './wire';

/** How long a connection may take to say which namespace it wants. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Makes the Socket.IO server for Nest: websocket only, nothing compressed, everything bounded. */
export class SocketAdapter extends AbstractWsAdapter {
  private readonly handshake: Handshake;
  private readonly cluster: Cluster;
  private readonly arrivals: Arrivals;
  private readonly http: HttpServer;

  constructor(app: INestApplicationContext & { getHttpServer(): unknown }) {
    super(app);
    this.handshake = app.get(Handshake);
    this.cluster = app.get(Cluster);
    this.arrivals = app.get(Arrivals);
    this.http = app.getHttpServer() as HttpServer;
  }

  override create(): Server {
    const server = new Server(this.http, {
      path: SOCKET_PATH,
      addTrailingSlash: false,
      transports: ['websocket'],
      allowUpgrades: false,
      serveClient: false,
      httpCompression: false,
      perMessageDeflate: false,
      maxHttpBufferSize: limits.socketPayloadBytesMax,
      connectTimeout: CONNECT_TIMEOUT_MS,
      pingInterval: 25_000,
      pingTimeout: 20_000,
      wsEngine: GuardedServer as unknown as ServerOptions['wsEngine'],
      allowRequest: (request, answer) => {
        // Nobody else listens until the websocket is made, and an error that nobody hears would end the process.
        request.socket.on('error', ignore);
        void this.admit(request).then((refusal) => {
          request.socket.off('error', ignore);
          answer(refusal, refusal === null);
        });
      },
    });
    this.cluster.attach(server);
    return server;
  }

  /** The gateway has no Nest handlers, which would be subscribed on each socket: clients' events go to the Router. */
  override bindMessageHandlers(): void {}

  /** The HTTP server is the application's to close. */
  override close(server: Server): Promise<void> {
    server.engine.close();
    return Promise.resolve();
  }

  /** Null lets the connection open; a bad token is told on the open socket. */
  private async admit(request: IncomingMessage): Promise<string | null> {
    if (await hasGone(request)) {
      metrics.handshakes.inc({ outcome: 'gone' });
      return 'The client has gone.';
    }
    if (!this.handshake.admitsOrigin(request)) {
      metrics.handshakes.inc({ outcome: 'origin' });
      return 'The origin is not allowed.';
    }
    try {
      await this.handshake.examine(request);
      // Only those with good tokens make a storm.
      if (this.handshake.verdictOf(request).identity) this.arrivals.note();
      return null;
    } catch {
      metrics.handshakes.inc({ outcome: 'failed' });
      return 'The token could not be checked.';
    }
  }
}

function ignore(): void {}

/**
 * Whether the client has given up. In a storm many have by the time that their connection is taken, and checking their tokens
 * would cost those who wait behind them. Their end lies right behind their request: it is read in the next turn.
 */
async function hasGone({ socket }: IncomingMessage): Promise<boolean> {
  await nextTurn();
  await nextTurn();
  return socket.destroyed || socket.readableEnded;
}

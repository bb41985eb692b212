import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { limits, SOCKET_PATH } from '@parley/contracts';
import type { Server, ServerOptions } from 'socket.io';
import { metrics } from '../metrics';
import { Cluster } from './cluster';
import { Handshake } from './handshake';
import { GuardedServer } from './wire';

/** How long a connection may take to say which namespace it wants. */
const CONNECT_TIMEOUT_MS = 10_000;

/** Makes the Socket.IO server of this service: websocket only, nothing compressed, everything bounded. */
export class SocketAdapter extends IoAdapter {
  private readonly handshake: Handshake;
  private readonly cluster: Cluster;

  constructor(app: INestApplicationContext) {
    super(app);
    this.handshake = app.get(Handshake);
    this.cluster = app.get(Cluster);
  }

  override createIOServer(port: number, options: Partial<ServerOptions> = {}): Server {
    const server = super.createIOServer(port, {
      ...options,
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
      wsEngine: GuardedServer,
      allowRequest: (request: IncomingMessage, answer: (error: string | null, isFine: boolean) => void) => {
        void this.admit(request).then((refusal) => answer(refusal, refusal === null));
      },
    } as Partial<ServerOptions>) as Server;
    this.cluster.attach(server);
    return server;
  }

  /** Null lets the connection open; a bad token is told on the open socket. */
  private async admit(request: IncomingMessage): Promise<string | null> {
    if (!this.handshake.admitsOrigin(request)) {
      metrics.handshakes.inc({ outcome: 'origin' });
      return 'The origin is not allowed.';
    }
    try {
      await this.handshake.examine(request);
      return null;
    } catch {
      metrics.handshakes.inc({ outcome: 'failed' });
      return 'The token could not be checked.';
    }
  }
}

import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { limits, SOCKET_PATH } from '@parley/contracts';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import type { Rooms } from '../feed/rooms';
import type { JoinService } from '../join/join.service';
import { metrics } from '../metrics';
import type { PresenceWatch } from '../presence/presence.watch';
import type { Cluster } from './cluster';
import type { Drain } from './drain';
import type { Handshake, Verdict } from './handshake';
import type { RevokedSessions } from './revoked-sessions';
import { Session } from './session';
import type { Sessions } from './sessions';
import { connectionOf, GuardedServer, guard } from './wire';

export interface DoorParts {
  cluster: Cluster;
  handshake: Handshake;
  sessions: Sessions;
  revoked: RevokedSessions;
  joins: JoinService;
  rooms: Rooms;
  watch: PresenceWatch;
  drain: Drain;
}

/** How long a connection may take to say which namespace it wants. */
const CONNECT_TIMEOUT_MS = 10_000;
const NOBODY = { userId: '', sessionId: '', expiresAtMs: 0 };

/**
 * Where sockets come and go. It is no Nest gateway: those subscribe each handler on each socket, and Nest opens them a
 * second time, on a port of their own, for the broker's transport. Clients' events go to the Router.
 */
export class SocketDoor {
  private server?: Server;

  constructor(private readonly parts: DoorParts) {}

  /** Websocket only, nothing compressed, everything bounded. */
  open(http: HttpServer): void {
    const server = new Server(http, {
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
        void this.admit(request).then((refusal) => answer(refusal, refusal === null));
      },
    });
    this.parts.cluster.attach(server);
    server.on('connection', (socket) => this.onConnection(socket));
    this.server = server;
  }

  close(): void {
    this.server?.engine.close();
  }

  /** Null lets the connection open; a bad token is told on the open socket. */
  private async admit(request: IncomingMessage): Promise<string | null> {
    const { handshake } = this.parts;
    if (!handshake.admitsOrigin(request)) {
      metrics.handshakes.inc({ outcome: 'origin' });
      return 'The origin is not allowed.';
    }
    try {
      await handshake.examine(request);
      return null;
    } catch {
      metrics.handshakes.inc({ outcome: 'failed' });
      return 'The token could not be checked.';
    }
  }

  private onConnection(socket: Socket): void {
    const { handshake, sessions, drain, joins } = this.parts;
    if (connectionOf(socket).request === undefined) {
      // One connection carries one socket.
      socket.disconnect(true);
      return;
    }
    const verdict = handshake.verdictOf(socket.request);
    const session = new Session(socket, sessions, verdict.identity ?? NOBODY);
    guard(socket, session);
    const refusal = this.refusalOf(verdict);
    if (refusal) {
      metrics.handshakes.inc({ outcome: refusal });
      session.close(refusal);
      return;
    }
    sessions.add(session);
    metrics.sockets.set(sessions.size);
    socket.on('disconnect', () => this.onDisconnect(session));
    if (drain.isDraining) session.close('draining', drain.reconnectAfterMs());
    else joins.begin(session);
  }

  private onDisconnect(session: Session): void {
    const { sessions, rooms, watch } = this.parts;
    session.state = 'closing';
    sessions.remove(session);
    rooms.leaveAll(session);
    watch.forget(session);
    metrics.sockets.set(sessions.size);
    // A client may leave the namespace and keep the connection, which would count for nobody.
    session.hangUp();
  }

  private refusalOf({ identity, refusal }: Verdict) {
    const { revoked, sessions } = this.parts;
    if (!identity) return refusal;
    if (revoked.has(identity.sessionId)) return 'session_revoked';
    if (identity.expiresAtMs <= Date.now()) return 'unauthenticated';
    if (sessions.countOf(identity.userId) >= limits.socketsPerUserMax) return 'too_many_connections';
    return undefined;
  }
}

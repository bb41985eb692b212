import { Inject } from '@nestjs/common';
import { WebSocketGateway, type OnGatewayConnection, type OnGatewayDisconnect } from '@nestjs/websockets';
import { limits } from '@parley/contracts';
import type { Socket } from 'socket.io';
import { Rooms } from '../feed/rooms';
import { JoinService } from '../join/join.service';
import { metrics } from '../metrics';
import { PresenceWatch } from '../presence/presence.watch';
import { Drain } from './drain';
import { Handshake, type Verdict } from './handshake';
import { RevokedSessions } from './revoked-sessions';
import { Session } from './session';
import { Sessions } from './sessions';
import { connectionOf, guard } from './wire';

const NOBODY = { userId: '', sessionId: '', expiresAtMs: 0 };

/** Where sockets come and go. What they say goes to the Router. */
@WebSocketGateway()
export class SocketGateway implements OnGatewayConnection, OnGatewayDisconnect {
  constructor(
    @Inject(Handshake) private readonly handshake: Handshake,
    @Inject(Sessions) private readonly sessions: Sessions,
    @Inject(RevokedSessions) private readonly revoked: RevokedSessions,
    @Inject(JoinService) private readonly joins: JoinService,
    @Inject(Rooms) private readonly rooms: Rooms,
    @Inject(PresenceWatch) private readonly watch: PresenceWatch,
    @Inject(Drain) private readonly drain: Drain,
  ) {}

  handleConnection(socket: Socket): void {
    if (connectionOf(socket).request === undefined) {
      // One connection carries one socket.
      socket.disconnect(true);
      return;
    }
    const verdict = this.handshake.verdictOf(socket.request);
    const session = new Session(socket, this.sessions, verdict.identity ?? NOBODY);
    guard(socket, session);
    const refusal = this.refusalOf(verdict);
    if (refusal) {
      metrics.handshakes.inc({ outcome: refusal });
      session.close(refusal);
      return;
    }
    this.sessions.add(session);
    metrics.sockets.set(this.sessions.size);
    if (this.drain.isDraining) session.close('draining', this.drain.reconnectAfterMs());
    else this.joins.begin(session);
  }

  handleDisconnect(socket: Socket): void {
    const session: unknown = socket.data;
    // One that was refused at once has left nothing behind.
    if (!(session instanceof Session) || !this.sessions.remove(session)) return;
    session.state = 'closing';
    this.rooms.leaveAll(session);
    this.watch.forget(session);
    metrics.sockets.set(this.sessions.size);
    // A client may leave the namespace and keep the connection, which would count for nobody.
    session.hangUp();
  }

  private refusalOf({ identity, refusal }: Verdict) {
    if (!identity) return refusal;
    if (this.revoked.has(identity.sessionId)) return 'session_revoked';
    if (identity.expiresAtMs <= Date.now()) return 'unauthenticated';
    if (this.sessions.countOf(identity.userId) >= limits.socketsPerUserMax) return 'too_many_connections';
    return undefined;
  }
}

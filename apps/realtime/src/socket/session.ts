import {
  closeReasons,
  type CloseReason,
  type ErrorBody,
  type ServerEvent,
  type ServerPayload,
} from '@parley/contracts';
import type { Socket } from 'socket.io';
import { metrics } from '../metrics';
import type { AheadFrames } from './ahead.frames';
import { ackFrame, eventFrame } from './frames';
import { TokenBucket } from './rate-limit';
import type { Sessions } from './sessions';
import {
  connectionOf,
  terminate,
  unsentBytes,
  writeFrames,
  type Connection,
  type EventPacket,
  type Guard,
} from './wire';

/** Who the token speaks for. */
export interface Identity {
  userId: string;
  sessionId: string;
  /** Milliseconds since 1970 at which the socket is closed unless a new token came. */
  expiresAtMs: number;
}

/** `joining` until `ready` was sent; `closing` once the reason was told, after which nothing is. */
type State = 'joining' | 'live' | 'closing';

/** How long a client has to read the reason before its connection is cut. */
const LAST_WORDS_MS = 2_000;
const BEHIND_BYTES = 65_536;
/** More than that while a socket joins is dropped: `ready` and `sync` tell it all. */
const HELD_MAX = 300;

/**
 * One socket and all that this node knows of it. There are many: fields that few sockets need are created when they
 * need them.
 */
export class Session implements Guard {
  readonly userId: string;
  readonly sessionId: string;
  expiresAtMs: number;
  state: State = 'joining';
  /** The conversations whose events reach this socket; kept by Rooms. */
  readonly conversations = new Set<string>();
  /**
   * Positions by partition that the socket's `ready` reflects where this node has not come so far yet: rows up to there
   * are not for this socket. Null as soon as the node has.
   */
  floor: readonly number[] | null = null;
  /** Events that came before `ready` was sent. */
  early: EventPacket[] | null = null;
  /** Frames that wait until `ready` has been sent. */
  held: Buffer[] | null = null;
  /** Users whose presence the client watches; kept by PresenceWatch. */
  watched: Set<string> | null = null;
  /** Conversations that the socket was told to be gone and that it is not in again; kept by Rooms. */
  gone: Set<string> | null = null;
  /** Conversations that the socket is in and whose end a `sync` has not been let say; kept by Rooms and SyncService. */
  withheld: Set<string> | null = null;
  /** Conversations left while a `sync` is under way: its answer may be older. */
  left: Set<string> | null = null;
  /** What came about conversations before the node has let the socket in. */
  ahead: AheadFrames | null = null;
  syncs = 0;
  inFlight = 0;
  refusals = 0;
  readonly bucket: TokenBucket;
  private readonly connection: Connection;
  /** Frames of the present turn. */
  private unsent: Buffer[] | null = null;

  constructor(
    readonly socket: Socket,
    private readonly sessions: Sessions,
    identity: Identity,
  ) {
    this.userId = identity.userId;
    this.sessionId = identity.sessionId;
    this.expiresAtMs = identity.expiresAtMs;
    this.connection = connectionOf(socket);
    const { SOCKET_EVENTS_PER_SECOND, SOCKET_EVENTS_BURST } = sessions.limits;
    this.bucket = new TokenBucket(SOCKET_EVENTS_PER_SECOND, SOCKET_EVENTS_BURST, Date.now());
  }

  get isLive(): boolean {
    return this.state === 'live';
  }

  /** Whether the client keeps up: only then is it told what may be lost. */
  get isKeepingUp(): boolean {
    return unsentBytes(this.connection) < BEHIND_BYTES;
  }

  emit<E extends ServerEvent>(event: E, payload: ServerPayload<E>): void {
    this.write(eventFrame(event, payload));
  }

  acknowledge(id: number, body: object): void {
    this.write(ackFrame(id, { ok: true, ...body }));
  }

  refuse(id: number, { code, message, retryAfterMs }: ErrorBody): void {
    this.tell(ackFrame(id, { ok: false, error: { code, message, retryAfterMs } }));
  }

  /** Writes the frame as soon as `ready` has been sent. */
  tell(frame: Buffer): void {
    if (this.isLive) {
      this.write(frame);
    } else {
      this.held ??= [];
      if (this.held.length < HELD_MAX) this.held.push(frame);
    }
  }

  /** Writes whole frames, together with what else this turn of the event loop has for the socket. */
  write(frames: Buffer): void {
    if (this.state === 'closing') return;
    if (this.unsent === null) {
      this.unsent = [frames];
      this.sessions.flushSoon(this);
    } else {
      this.unsent.push(frames);
    }
  }

  /** Hands over what was written in this turn: one system call instead of one for each frame. */
  flush(): void {
    const { connection, unsent } = this;
    this.unsent = null;
    const [first] = unsent ?? [];
    if (!unsent || !first || connection.readyState !== 'open') return;
    if (unsentBytes(connection) > this.sessions.limits.SOCKET_OUTBOUND_BYTES) this.close('slow_consumer');
    else writeFrames(connection, unsent.length === 1 ? first : Buffer.concat(unsent));
  }

  /** Says why and closes, in the way that makes a stock client come back, or stay away, as the reason has it. */
  close(code: CloseReason, retryAfterMs = 0): void {
    if (this.state === 'closing') return;
    this.flush();
    if (this.isClosing()) return;
    this.say(code, retryAfterMs);
    if (closeReasons[code].reconnect) this.connection.close();
    else this.socket.disconnect(true);
    setTimeout(() => terminate(this.connection), LAST_WORDS_MS).unref();
  }

  /** Ends the connection below the socket, which is gone. */
  hangUp(): void {
    this.connection.close();
  }

  onEvent(packet: EventPacket): void {
    this.sessions.onEvent(this, packet);
  }

  onRefused(tooLarge: boolean): void {
    this.flush();
    if (!this.isClosing()) this.say(tooLarge ? 'payload_too_large' : 'protocol_unsupported', 0);
  }

  /** Flushing may have found the client too slow. */
  private isClosing(): boolean {
    return this.state === 'closing';
  }

  private say(code: CloseReason, retryAfterMs: number): void {
    const { reconnect } = closeReasons[code];
    const frame = eventFrame('session:closing', { code, reconnect, retryAfterMs });
    if (this.connection.readyState === 'open') writeFrames(this.connection, frame);
    this.state = 'closing';
    metrics.closed.inc({ reason: code });
  }
}

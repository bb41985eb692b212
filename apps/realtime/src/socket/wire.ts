import type { Socket } from 'socket.io';
import { WebSocket, WebSocketServer, type ServerOptions } from 'ws';

/**
 * The only place that reaches below Socket.IO's public interface, and why: a broadcast is framed once for all sockets,
 * many frames go out in one write, an answer costs no closure, and a refused frame is told its reason. Socket.IO's
 * version is pinned; wire.spec.ts fails when what is used here changes.
 */

/** An Engine.IO connection, as far as it is used here. */
export interface Connection {
  readonly readyState: 'opening' | 'open' | 'closing' | 'closed';
  readonly transport: { readonly socket: GuardedWebSocket };
  /** Packets that Engine.IO has not handed to the websocket yet. */
  readonly writeBuffer: unknown[];
  request: unknown;
  send(data: string, options: { compress: boolean; wsPreEncodedFrame: [Buffer] }): void;
  close(discard?: boolean): void;
}

/** A Socket.IO packet of type EVENT: `data` is the event's name and its arguments, `id` asks for an answer. */
export interface EventPacket {
  id?: number;
  data?: unknown[];
}

/** What a socket tells to whoever looks after it. It hangs on the socket, so that no socket needs closures of its own. */
export interface Guard {
  onEvent(packet: EventPacket): void;
  /** The client broke the protocol; the connection is closed right after this call. */
  onRefused(tooLarge: boolean): void;
}

/** Engine.IO sends frames that are encoded already in this very way. */
interface WebSocketInternals {
  _sender: { sendFrame(frames: Buffer[]): void };
}

interface Internals {
  onevent(packet: EventPacket): void;
  handshake: unknown;
  client: { close(): void; conn: Connection };
}

/** Close codes by which a websocket refuses what it was sent (RFC 6455, section 7.4.1). */
const refusals = { protocolError: 1002, invalidText: 1007, messageTooBig: 1009 } as const;
const refusalCodes: ReadonlySet<number> = new Set(Object.values(refusals));
const NO_HANDSHAKE = Object.freeze({ headers: {}, query: {}, auth: {} });

export function connectionOf(socket: Socket): Connection {
  return socket.conn as unknown as Connection;
}

/**
 * Writes whole frames at once, in order with everything else of the connection: behind Engine.IO's own packets where some
 * wait, else straight to the websocket, which spares a dozen of its internal events.
 */
export function writeFrames(connection: Connection, frames: Buffer): void {
  if (connection.writeBuffer.length > 0) {
    connection.send('', { compress: false, wsPreEncodedFrame: [frames] });
  } else {
    (connection.transport.socket as unknown as WebSocketInternals)._sender.sendFrame([frames]);
  }
}

/** Bytes that wait because the client does not read them. */
export function unsentBytes(connection: Connection): number {
  return connection.transport.socket.bufferedAmount;
}

/** Ends a connection whose client does not even read the reason. */
export function terminate(connection: Connection): void {
  connection.transport.socket.terminate();
}

/** Sends the socket's events and faults to its guard, and forgets the handshake, which would stay in memory. */
export function guard(socket: Socket, to: Guard): void {
  const internals = socket as unknown as Internals;
  const connection = connectionOf(socket);
  socket.data = to;
  internals.onevent = onEvent;
  internals.client.close = closeClient;
  internals.handshake = NO_HANDSHAKE;
  connection.request = undefined;
  connection.transport.socket.guard = to;
  socket.on('error', onError);
}

function guardOf(socket: Socket): Guard {
  return socket.data as Guard;
}

function onEvent(this: Socket, packet: EventPacket): void {
  guardOf(this).onEvent(packet);
}

/** The parser met something that is no Socket.IO packet. */
function onError(this: Socket): void {
  guardOf(this).onRefused(false);
}

/** Socket.IO closes a client of its own accord when a packet does not fit the state of the connection. */
function closeClient(this: {
  sockets: Map<string, Socket>;
  constructor: { prototype: { close(): void } };
}): void {
  for (const socket of this.sockets.values()) guardOf(socket)?.onRefused(false);
  this.constructor.prototype.close.call(this);
}

/** Tells its guard before a frame that is too large, or none at all, makes it close. */
export class GuardedWebSocket extends WebSocket {
  guard: Guard | undefined;

  override close(code?: number, data?: string | Buffer): void {
    if (code !== undefined && refusalCodes.has(code)) this.guard?.onRefused(code === refusals.messageTooBig);
    super.close(code, data);
  }
}

/** What Engine.IO makes its websockets by. */
export class GuardedServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, WebSocket: GuardedWebSocket as unknown as typeof WebSocket });
  }
}

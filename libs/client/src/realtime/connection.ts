import {
  ParleyError,
  SOCKET_PATH,
  type ClientEvent,
  type ClientPayload,
  type ClientReply,
  type ErrorBody,
  type ServerEvent,
  type ServerPayload,
} from '@parley/contracts';
import { io, type Socket } from 'socket.io-client';
import { Emitter } from '../emitter';
import type { Clock } from '../environment';

/** How the socket proves who it is: a header where one can be set, else a ticket. */
export type Credentials = { accessToken: string } | { ticket: string };

export type Closing = ServerPayload<'session:closing'>;

export type AnyServerEvent = { [E in ServerEvent]: { name: E; payload: ServerPayload<E> } }[ServerEvent];

interface ConnectionEvents {
  event: AnyServerEvent;
  /** Comes once. `closing` is what the server said before, if anything. */
  closed: { closing?: Closing };
}

type Ack = { ok: true } | { ok: false; error: ErrorBody };

/** The server refused the handshake for want of a valid token. */
export class HandshakeRefused extends ParleyError {}

/** The server did not say `ready` in time: nobody is there, or many were before us. */
export class ReadyTimedOut extends ParleyError {}

function refusalOf(error: Error & { description?: unknown; data?: unknown }): ParleyError {
  const body = error.data as Partial<ErrorBody> | undefined;
  if (typeof body?.code === 'string') {
    const said = ParleyError.fromBody({ ...body, code: body.code, message: body.message ?? error.message });
    return said.status === 401 ? new HandshakeRefused(said.code, said.message) : said;
  }
  const description = error.description as { message?: unknown } | undefined;
  const text = `${error.message} ${String(description?.message ?? '')}`;
  // Node's websocket names the status of a refused upgrade; a browser never tells it.
  if (/\b401\b/.test(text)) return new HandshakeRefused('unauthenticated', 'The gateway refused the token.');
  if (/\b429\b/.test(text)) return new ParleyError('rate_limited', 'Too many connections in a short time.');
  return new ParleyError('unavailable', `No connection: ${text.trim()}`);
}

/** One socket from its handshake to its end; it never reconnects by itself. */
export class Connection extends Emitter<ConnectionEvents> {
  private readonly socket: Socket;
  private closing?: Closing;
  private pending = 0;
  private retiring = false;
  /** Ends the wait for `ready`. */
  private abandon?: () => void;
  private over = false;

  constructor(
    url: string,
    credentials: Credentials,
    private readonly clock: Clock,
  ) {
    super();
    const auth =
      'accessToken' in credentials
        ? { extraHeaders: { authorization: `Bearer ${credentials.accessToken}` } }
        : { query: { ticket: credentials.ticket } };
    this.socket = io(url, {
      ...auth,
      path: SOCKET_PATH,
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
    });
  }

  /** Connects. Resolves with `ready`, which is always first; rejects when there is none within `timeoutMs`. */
  open(timeoutMs: number): Promise<ServerPayload<'ready'>> {
    return new Promise((resolve, reject) => {
      const fail = (error: ParleyError) => {
        this.clock.clearTimeout(timer);
        reject(error);
        this.close();
      };
      const timer = this.clock.setTimeout(
        () => fail(new ReadyTimedOut('unavailable', 'The server sent no `ready`.')),
        timeoutMs,
      );
      this.abandon = () => {
        this.clock.clearTimeout(timer);
        reject(new ParleyError('unavailable', 'The connection was given up.'));
      };
      // One bound for all of it: socket.io's own is shorter than some.
      this.socket.io.timeout(false);
      this.socket.on('connect_error', (error) => fail(refusalOf(error)));
      this.socket.on('disconnect', () => {
        fail(new ParleyError('unavailable', this.closing?.code ?? 'The connection ended.'));
        this.finish();
      });
      this.socket.onAny((name: string, payload: unknown) => {
        const event = { name, payload } as AnyServerEvent;
        if (event.name === 'session:closing') this.closing = event.payload;
        if (event.name === 'ready') {
          this.clock.clearTimeout(timer);
          resolve(event.payload);
        }
        this.emit('event', event);
      });
      this.socket.connect();
    });
  }

  /** What the server said before it closed, if it did. */
  get closingReason(): Closing | undefined {
    return this.closing;
  }

  /** Asks and waits for the ack. Rejects with the server's error, or `unavailable` when no ack came in time. */
  async request<E extends ClientEvent>(
    event: E,
    payload: ClientPayload<E>,
    timeoutMs: number,
    traceparent?: string,
  ): Promise<ClientReply<E>> {
    if (!this.socket.connected) throw new ParleyError('unavailable', 'Not connected.');
    this.pending += 1;
    let ack: Ack;
    try {
      const said = traceparent === undefined ? [payload] : [payload, { traceparent }];
      ack = (await this.socket.timeout(timeoutMs).emitWithAck(event, ...said)) as Ack;
    } catch (error) {
      throw new ParleyError('unavailable', error instanceof Error ? error.message : String(error));
    } finally {
      this.pending -= 1;
      if (this.retiring && this.pending === 0) this.close();
    }
    if (!ack.ok) throw ParleyError.fromBody(ack.error);
    return ack as unknown as ClientReply<E>;
  }

  /** Closes as soon as every ack that is on its way has come. */
  retire(): void {
    this.retiring = true;
    if (this.pending === 0) this.close();
  }

  /** At any time; who waits for `ready` does no longer. */
  close(): void {
    this.abandon?.();
    this.socket.disconnect();
    this.finish();
  }

  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.emit('closed', { closing: this.closing });
    this.socket.offAny();
  }
}

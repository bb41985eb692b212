import {
  ParleyError,
  type ClientEvent,
  type ClientPayload,
  type ClientReply,
  type ServerEvent,
  type ServerPayload,
} from '@parley/contracts';
import { backoffMs, patienceMs, RECONNECT_BACKOFF } from '../backoff';
import { Emitter } from '../emitter';
import type { Environment } from '../environment';
import type { Session } from '../session/session';
import type { TraceSource } from '../trace';
import {
  Connection,
  HandshakeRefused,
  ReadyTimedOut,
  type AnyServerEvent,
  type Closing,
  type Credentials,
} from './connection';

export type RealtimeStatus =
  /** Nobody asked for a connection, or the server said not to come back (`reason`). */
  | { state: 'stopped'; reason?: string }
  | { state: 'connecting'; attempt: number }
  | { state: 'ready' }
  | { state: 'waiting'; retryInMs: number; reason?: string };

type RealtimeEvents = { [E in ServerEvent]: ServerPayload<E> } & {
  status: RealtimeStatus;
  /** Every server event, as it came. */
  any: AnyServerEvent;
};

export interface RealtimeOptions {
  url: string;
  credentials: 'header' | 'ticket';
  ticket(): Promise<string>;
  readyTimeoutMs: number;
  ackTimeoutMs: number;
  traceparent?: TraceSource;
}

/**
 * Keeps one socket ready for as long as it is wanted: reconnects with jitter, does as the server says when it closes, and
 * opens the next socket before it gives up one that is being drained.
 */
export class Realtime extends Emitter<RealtimeEvents> {
  private wanted = false;
  private current?: Connection;
  /** The one that has no `ready` yet. */
  private coming?: Connection;
  /** Rises with every start and stop: what an attempt of before brings is of no use. */
  private run = 0;
  /** The run for which a socket is being opened. */
  private opening?: number;
  private attempt = 0;
  private refusals = 0;
  /** How many attempts in a row saw no `ready` in time. */
  private timeouts = 0;
  private timer?: { handle: unknown; at: number };
  private last: RealtimeStatus = { state: 'stopped' };

  constructor(
    private readonly environment: Environment,
    private readonly session: Session,
    private readonly options: RealtimeOptions,
  ) {
    super();
    session.on('renewed', ({ accessToken }) => void this.tellToken(accessToken));
    session.on('signedOut', ({ reason }) => this.halt(reason));
  }

  get status(): RealtimeStatus {
    return this.last;
  }

  /** Whether requests can be sent now. */
  get ready(): boolean {
    return this.current !== undefined;
  }

  start(): void {
    if (this.wanted) return;
    this.wanted = true;
    this.run += 1;
    this.attempt = 0;
    this.refusals = 0;
    this.timeouts = 0;
    this.schedule(0);
  }

  stop(): void {
    this.halt(undefined);
  }

  /** Sends now, never later: rejects with `unavailable` while there is no ready socket. */
  async request<E extends ClientEvent>(
    event: E,
    payload: ClientPayload<E>,
    timeoutMs = this.options.ackTimeoutMs,
  ): Promise<ClientReply<E>> {
    if (!this.current) throw new ParleyError('unavailable', 'Not connected.');
    return this.current.request(event, payload, timeoutMs, this.options.traceparent?.());
  }

  private halt(reason: string | undefined): void {
    // Also where no attempt has begun yet: somebody waits for what becomes of it.
    const isNews = this.wanted || this.last.state !== 'stopped';
    this.wanted = false;
    this.run += 1;
    this.unschedule();
    const connections = [this.coming, this.current];
    this.coming = this.current = undefined;
    for (const connection of connections) connection?.close();
    if (isNews) this.report({ state: 'stopped', reason });
  }

  /** Opens a socket after `delayMs`, unless one is due sooner. */
  private schedule(delayMs: number): void {
    const { clock } = this.environment;
    const at = clock.now() + delayMs;
    if (this.timer && this.timer.at <= at) return;
    if (this.timer) clock.clearTimeout(this.timer.handle);
    const handle = clock.setTimeout(() => {
      this.timer = undefined;
      void this.openOne();
    }, delayMs);
    this.timer = { handle, at };
  }

  private unschedule(): void {
    if (this.timer) this.environment.clock.clearTimeout(this.timer.handle);
    this.timer = undefined;
  }

  private async openOne(): Promise<void> {
    const { run } = this;
    if (!this.wanted || this.opening === run) return;
    this.opening = run;
    if (!this.current) this.report({ state: 'connecting', attempt: this.attempt });
    let connection: Connection | undefined;
    let token: string | undefined;
    try {
      token = await this.session.accessToken();
      const credentials = await this.credentials(token);
      if (run !== this.run) return;
      const next = (connection = new Connection(this.options.url, credentials, this.environment.clock));
      this.coming = next;
      next.on('event', (event) => this.pass(next, event));
      next.on('closed', ({ closing }) => this.closed(next, closing));
      const ready = await next.open(patienceMs(this.timeouts, this.options.readyTimeoutMs));
      if (run !== this.run) return next.close();
      this.opening = this.coming = undefined;
      this.adopt(next, ready);
    } catch (error) {
      if (run !== this.run) return;
      this.opening = this.coming = undefined;
      await this.failed(error, connection?.closingReason, token);
    }
  }

  private async credentials(accessToken: string): Promise<Credentials> {
    return this.options.credentials === 'header' ? { accessToken } : { ticket: await this.options.ticket() };
  }

  private adopt(connection: Connection, ready: ServerPayload<'ready'>): void {
    // A retry may have been due for the socket that this one replaces.
    this.unschedule();
    const previous = this.current;
    this.current = connection;
    this.attempt = 0;
    this.refusals = 0;
    this.timeouts = 0;
    this.report({ state: 'ready' });
    this.deliver({ name: 'ready', payload: ready });
    previous?.retire();
  }

  /** `ready` is delivered by `adopt`, once the socket can be asked. */
  private pass(connection: Connection, event: AnyServerEvent): void {
    if (event.name === 'ready') return;
    if (event.name === 'server:draining' && connection === this.current) {
      // A little sooner than the server closes: the next socket is to be there before this one ends.
      this.schedule(event.payload.reconnectAfterMs * 0.8);
    }
    this.deliver(event);
  }

  private deliver(event: AnyServerEvent): void {
    this.emit(event.name, event.payload as never);
    this.emit('any', event);
  }

  private closed(connection: Connection, closing: Closing | undefined): void {
    if (connection !== this.current) return;
    this.current = undefined;
    if (this.wanted) void this.recover(closing, undefined);
  }

  private async failed(
    error: unknown,
    closing: Closing | undefined,
    token: string | undefined,
  ): Promise<void> {
    if (error instanceof ReadyTimedOut) this.timeouts += 1;
    const refused = error instanceof HandshakeRefused;
    const said =
      closing ?? (refused ? { code: 'unauthenticated', reconnect: false, retryAfterMs: 0 } : undefined);
    this.environment.logger.debug('Could not connect.', { error: String(error), closing: closing?.code });
    await this.recover(said, error instanceof ParleyError ? error.retryAfterMs : undefined, token);
  }

  private async recover(closing: Closing | undefined, retryAfterMs = 0, token?: string): Promise<void> {
    if (closing?.code === 'session_revoked' || closing?.code === 'user_suspended') {
      await this.session.end(closing.code);
      return;
    }
    if (closing?.code === 'unauthenticated') {
      // The token ran out, which a new one mends; one that is refused as well is not tried for ever.
      this.refusals += 1;
      if (this.refusals > 2) return this.halt(closing.code);
      try {
        await (token === undefined ? this.session.renew() : this.session.replace(token));
      } catch (error) {
        this.environment.logger.warn('Could not renew the access token.', { error: String(error) });
      }
    } else if (closing && !closing.reconnect) {
      return this.halt(closing.code);
    }
    if (!this.wanted) return;
    const jittered = backoffMs(this.attempt, RECONNECT_BACKOFF, this.environment.random);
    this.attempt += 1;
    const delayMs = Math.max(jittered, closing?.retryAfterMs ?? 0, retryAfterMs);
    if (!this.current) this.report({ state: 'waiting', retryInMs: delayMs, reason: closing?.code });
    this.schedule(delayMs);
  }

  private async tellToken(accessToken: string): Promise<void> {
    const connection = this.current;
    if (!connection) return;
    try {
      await connection.request('auth:refresh', { accessToken }, this.options.ackTimeoutMs);
    } catch (error) {
      // The socket ends with its old token then, and the next one comes with the new.
      this.environment.logger.warn('The socket did not take the new token.', { error: String(error) });
    }
  }

  private report(status: RealtimeStatus): void {
    this.last = status;
    this.emit('status', status);
  }
}

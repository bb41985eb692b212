import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorBody, ServerPayload } from '@parley/contracts';
import { SOCKET_PATH } from '@parley/contracts';
import { io, type Socket } from 'socket.io-client';

export type Answer<T> = ({ ok: true } & T) | { ok: false; error: Omit<ErrorBody, 'code'> & { code: string } };

export interface ConnectionHandler {
  /** Any event, in order of arrival. `socketId` names the connection that it came on. */
  onEvent(socketId: string, name: string, payload: unknown): void;
}

/** The code of what never reached the service, or whose answer was lost: no refusal. */
export const BROKEN = 'disconnected';

const ACK_TIMEOUT_MS = 5_000;
const RECONNECT_MS = 200;
const RECONNECT_MS_MAX = 2_000;
/** Well before a token of ten minutes ends. */
const REFRESH_MS = 240_000;

/**
 * A stock Socket.IO client that stays connected, as any client would: it backs off, comes back when it was told that it
 * may, and renews its token on the living connection.
 */
export class Connection {
  private readonly socket: Socket;
  private readonly refreshing: NodeJS.Timeout;
  private connections = 0;
  private closing: ServerPayload<'session:closing'> | undefined;

  constructor(
    private readonly name: string,
    url: string,
    private readonly newToken: () => string,
    handler: ConnectionHandler,
  ) {
    this.socket = io(url, {
      path: SOCKET_PATH,
      transports: ['websocket'],
      extraHeaders: { authorization: `Bearer ${newToken()}` },
      reconnectionDelay: RECONNECT_MS,
      reconnectionDelayMax: RECONNECT_MS_MAX,
      timeout: ACK_TIMEOUT_MS,
      forceNew: true,
    });
    this.socket.io.on('reconnect_attempt', () => this.renewHeader());
    this.socket.on('connect', () => this.connections++);
    this.socket.on('connect_error', () => {
      // A refusal by the service itself ends the client's own attempts.
      if (!this.socket.active) void this.comeBack(RECONNECT_MS_MAX);
    });
    this.socket.on('disconnect', (reason) => {
      if (reason !== 'io server disconnect') return;
      const { closing } = this;
      this.closing = undefined;
      if (closing?.reconnect === false)
        throw new Error(`${name} was sent away for good: ${JSON.stringify(closing)}`);
      void this.comeBack(closing?.retryAfterMs ?? RECONNECT_MS);
    });
    this.socket.onAny((event: string, payload: unknown) => {
      if (event === 'session:closing') this.closing = payload as ServerPayload<'session:closing'>;
      handler.onEvent(this.socketId, event, payload);
    });
    this.refreshing = setInterval(() => void this.refresh(), REFRESH_MS);
  }

  get isConnected(): boolean {
    return this.socket.connected;
  }

  /** Names the present connection; every reconnection makes another. */
  get socketId(): string {
    return `${this.name}#${this.connections}`;
  }

  /** Sends an event and waits for its answer; what broke on the way counts as `disconnected`. Never throws. */
  async ask<T>(event: string, payload: object): Promise<Answer<T>> {
    if (!this.socket.connected) return broken('not connected');
    try {
      return (await this.socket.timeout(ACK_TIMEOUT_MS).emitWithAck(event, payload)) as Answer<T>;
    } catch (error) {
      return broken((error as Error).message);
    }
  }

  /** Ends the connection and stays away until `comeBackNow`. */
  leave(): void {
    this.socket.disconnect();
  }

  comeBackNow(): void {
    this.renewHeader();
    this.socket.connect();
  }

  close(): void {
    clearInterval(this.refreshing);
    this.socket.disconnect();
  }

  private renewHeader(): void {
    this.socket.io.opts.extraHeaders = { authorization: `Bearer ${this.newToken()}` };
  }

  private async refresh(): Promise<void> {
    await this.ask('auth:refresh', { accessToken: this.newToken() });
  }

  private async comeBack(afterMs: number): Promise<void> {
    await delay(afterMs);
    this.renewHeader();
    this.socket.connect();
  }
}

function broken(message: string): Answer<never> {
  return { ok: false, error: { code: BROKEN, message } };
}

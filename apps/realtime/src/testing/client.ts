import type { ClientEvent, ClientPayload, ServerEvent, ServerPayload } from '@parley/contracts';
import { io, type Socket } from 'socket.io-client';

export type Answer = Record<string, unknown> & {
  ok: boolean;
  error?: { code: string; message: string; retryAfterMs?: number };
};

/** A stock client that remembers everything it was told, in order. Specs only. */
export class Client {
  readonly events: [event: string, payload: unknown][] = [];
  disconnectReason?: string;
  private wake: (() => void)[] = [];

  constructor(readonly socket: Socket) {
    socket.onAny((event: string, payload: unknown) => this.note(event, payload));
    socket.on('disconnect', (reason) => {
      this.disconnectReason = reason;
      this.note('disconnect', reason);
    });
    socket.on('connect_error', (error) => this.note('connect_error', error.message));
  }

  static open(
    url: string,
    options: { token?: string; ticket?: string; origin?: string; query?: object } = {},
  ): Client {
    const headers: Record<string, string> = {};
    if (options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
    if (options.origin !== undefined) headers.origin = options.origin;
    const socket = io(url, {
      path: '/realtime',
      transports: ['websocket'],
      extraHeaders: headers,
      query: { ...(options.ticket !== undefined && { ticket: options.ticket }), ...options.query },
      reconnection: false,
      forceNew: true,
    });
    return new Client(socket);
  }

  /** The first such event that has not been taken yet; waits for it. */
  async take<E extends ServerEvent | 'disconnect' | 'connect_error'>(
    event: E,
  ): Promise<E extends ServerEvent ? ServerPayload<E> : string> {
    for (;;) {
      const index = this.events.findIndex(([name]) => name === event);
      const [found] = index >= 0 ? this.events.splice(index, 1) : [];
      if (found) return found[1] as never;
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  /** Names of what has come and was not taken. */
  get names(): string[] {
    return this.events.map(([name]) => name);
  }

  /** Repeats what got no answer in time, as every client does: this machine may have much else to do. */
  async ask<E extends ClientEvent>(event: E, payload: ClientPayload<E>): Promise<Answer> {
    for (;;) {
      const answer = await this.askRaw(event, payload);
      if (!answer.error?.message.startsWith('No answer in time')) return answer;
    }
  }

  askRaw(event: string, ...args: unknown[]): Promise<Answer> {
    return this.socket.emitWithAck(event, ...args) as Promise<Answer>;
  }

  async close(): Promise<void> {
    if (!this.socket.connected) return;
    const closed = new Promise<void>((resolve) => this.socket.once('disconnect', () => resolve()));
    this.socket.disconnect();
    await closed;
  }

  private note(event: string, payload: unknown): void {
    this.events.push([event, payload]);
    for (const wake of this.wake.splice(0)) wake();
  }
}

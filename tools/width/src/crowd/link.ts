import { RawSocket, type RawSocketHandler, type RawSocketOptions } from '@parley/tool-load';

/** Whom a link tells what happens on its socket. `text` makes a string of the payload, for those who want to parse it. */
export interface LinkOwner {
  onEvent(link: Link, name: string, bytes: number, text: () => string): void;
  onAnswer(link: Link, ackId: number, bytes: number, text: () => string): void;
  /** The socket has ended, or could not be opened. Comes once. */
  onEnd(link: Link, reason: string): void;
}

const NAME_STARTS_AT = 2;
const QUOTE = 0x22;

/** One socket of a member. */
export class Link implements RawSocketHandler {
  readonly openedAtMs = performance.now();
  /** What the server said before it closed. */
  closing?: { code: string; retryAfterMs: number };
  private socket?: RawSocket;
  /** Events may come in the same bytes as the answer to the connection, before there is a socket to answer on. */
  private readonly unsent: [ackId: number, name: string, payload: string][] = [];
  private isClosed = false;

  constructor(
    private readonly owner: LinkOwner,
    options: Omit<RawSocketOptions, 'handler'>,
  ) {
    RawSocket.open({ ...options, handler: this })
      .then((socket) => {
        this.socket = socket;
        for (const [ackId, name, payload] of this.unsent.splice(0)) socket.emit(ackId, name, payload);
        if (this.isClosed) socket.close();
      })
      // `onClose` has told it.
      .catch(() => undefined);
  }

  emit(ackId: number, name: string, payload: string): void {
    if (this.socket) this.socket.emit(ackId, name, payload);
    else this.unsent.push([ackId, name, payload]);
  }

  close(): void {
    this.isClosed = true;
    this.socket?.close();
  }

  onEvent(buffer: Buffer, start: number, end: number): void {
    const nameEnd = buffer.indexOf(QUOTE, start + NAME_STARTS_AT);
    const name = buffer.toString('latin1', start + NAME_STARTS_AT, nameEnd);
    // `["name",payload]`
    this.owner.onEvent(this, name, end - start, () => buffer.toString('utf8', nameEnd + 2, end - 1));
  }

  onAck(ackId: number, buffer: Buffer, start: number, end: number): void {
    this.owner.onAnswer(this, ackId, end - start, () => buffer.toString('utf8', start + 1, end - 1));
  }

  onClose(reason: string): void {
    if (!this.isClosed) this.owner.onEnd(this, reason);
  }
}

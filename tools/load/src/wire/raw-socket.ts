import { randomBytes } from 'node:crypto';
import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { SOCKET_PATH } from '@parley/contracts';
import { clientFrame, FrameReader, opcodes } from './frame';
import { readNumber, skipDigits } from './packet';

const OPEN_TIMEOUT_MS = 15_000;
/** How the reason begins where that was too long. */
export const TIMED_OUT = 'timed out while connecting';
const HEADER_END = Buffer.from('\r\n\r\n');
const HEADER_BYTES_MAX = 16_384;
/** Engine.IO packet types and Socket.IO packet types, as ASCII digits. */
const ENGINE = { open: 48, close: 49, ping: 50, message: 52 };
const PACKET = { connect: 48, disconnect: 49, event: 50, ack: 51, connectError: 52 };

/** What a socket tells its owner. Buffers are valid during the call only. */
export interface RawSocketHandler {
  /** An event; the JSON array `["name", payload]` is `buffer[start, end)`. */
  onEvent(buffer: Buffer, start: number, end: number): void;
  /** The answer to the event that was sent with `ackId`; the JSON array `[answer]` is `buffer[start, end)`. */
  onAck(ackId: number, buffer: Buffer, start: number, end: number): void;
  /** The connection has ended, by whomever. */
  onClose(reason: string): void;
}

export interface RawSocketOptions {
  /** Base address of realtime or of the gateway, e.g. http://127.0.0.1:8000; https is for those whom Node trusts. */
  url: string;
  accessToken: string;
  handler: RawSocketHandler;
  /** How long it may take until events can be sent. */
  openTimeoutMs?: number;
}

/**
 * All sockets read into the same memory: Node allocates, reads and calls back for one socket before it turns to the
 * next, encrypted or not, and frames are handled within that call.
 */
const sharedBuffer = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * A Socket.IO 4 client reduced to what load needs: websocket transport, default namespace, default parser. It answers
 * pings, hands out events and acks as bytes, and never reconnects: a lost connection is a finding, not a nuisance.
 */
export class RawSocket {
  private header: Buffer | undefined = Buffer.alloc(0);
  private readonly frames = new FrameReader((opcode, buffer, start, end) =>
    this.onFrame(opcode, buffer, start, end),
  );
  private closed = false;
  /** What the server has not done yet. */
  private awaited = 'the connection';
  private opened!: () => void;
  private failed!: (error: Error) => void;

  private constructor(
    private readonly tcp: Socket,
    private readonly handler: RawSocketHandler,
  ) {}

  /** @throws Error with the server's answer when it refuses the upgrade or the connection. */
  static open({
    url,
    accessToken,
    handler,
    openTimeoutMs = OPEN_TIMEOUT_MS,
  }: RawSocketOptions): Promise<RawSocket> {
    const { hostname, port, host, protocol } = new URL(url);
    const isEncrypted = protocol === 'https:';
    const options: TcpNetConnectOpts = {
      host: hostname,
      port: Number(port || (isEncrypted ? 443 : 80)),
      onread: {
        buffer: sharedBuffer,
        callback: (bytes, buffer) => {
          made.onBytes((buffer as Buffer).subarray(0, bytes));
          return true;
        },
      },
    };
    const tcp = isEncrypted ? connectTls(options) : connect(options);
    const made: RawSocket = new RawSocket(tcp, handler);
    tcp.setNoDelay();
    tcp.on(isEncrypted ? 'secureConnect' : 'connect', () => (made.awaited = 'the upgrade'));
    tcp.on('error', (error) => made.end(error.message));
    tcp.on('close', () => made.end('connection closed'));
    tcp.write(upgradeRequest(host, accessToken));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => made.end(`${TIMED_OUT}: waited for ${made.awaited}`), openTimeoutMs);
      made.opened = () => {
        clearTimeout(timer);
        resolve(made);
      };
      made.failed = (error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
  }

  /** Sends event `name` with a payload that is already JSON; the answer comes to `onAck` with `ackId`. */
  emit(ackId: number, name: string, payload: string): void {
    this.write(`42${ackId}["${name}",${payload}]`);
  }

  close(): void {
    this.end('closed by the generator');
  }

  private write(text: string): void {
    if (!this.closed) this.tcp.write(clientFrame(opcodes.text, text));
  }

  private onBytes(bytes: Buffer): void {
    if (this.closed) return;
    try {
      const rest = this.header === undefined ? bytes : this.onHeader(bytes, this.header);
      if (rest) this.frames.push(rest);
    } catch (error) {
      this.end((error as Error).message);
    }
  }

  /** Collects the answer to the upgrade; returns the bytes after it once it is whole. */
  private onHeader(bytes: Buffer, before: Buffer): Buffer | undefined {
    const header = Buffer.concat([before, bytes]);
    const end = header.indexOf(HEADER_END);
    if (end < 0 && header.length < HEADER_BYTES_MAX) {
      this.header = header;
      return undefined;
    }
    if (!header.toString('latin1', 0, 12).startsWith('HTTP/1.1 101'))
      throw new Error(`The upgrade was refused: ${header.toString('utf8').replaceAll('\r\n', ' | ')}`);
    this.header = undefined;
    this.awaited = 'Engine.IO';
    return header.subarray(end + HEADER_END.length);
  }

  private onFrame(opcode: number, buffer: Buffer, start: number, end: number): void {
    if (opcode === opcodes.text) this.onPacket(buffer, start, end);
    else if (opcode === opcodes.ping)
      this.tcp.write(clientFrame(opcodes.pong, buffer.toString('utf8', start, end)));
    else if (opcode === opcodes.close) this.end(closeReason(buffer, start, end));
  }

  private onPacket(buffer: Buffer, start: number, end: number): void {
    const type = buffer[start];
    if (type === ENGINE.open) {
      this.awaited = 'the namespace';
      this.write('40');
    } else if (type === ENGINE.ping) this.write('3');
    else if (type === ENGINE.close) this.end('closed by the server');
    else if (type === ENGINE.message) this.onMessage(buffer, start + 1, end);
  }

  private onMessage(buffer: Buffer, start: number, end: number): void {
    const type = buffer[start];
    if (type === PACKET.event) {
      this.handler.onEvent(buffer, start + 1, end);
    } else if (type === PACKET.ack) {
      const ackId = readNumber(buffer, start + 1, end);
      this.handler.onAck(ackId, buffer, skipDigits(buffer, start + 1, end), end);
    } else if (type === PACKET.connect) {
      this.opened();
    } else if (type === PACKET.connectError || type === PACKET.disconnect) {
      this.end(`refused by the server: ${buffer.toString('utf8', start, end)}`);
    }
  }

  private end(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.tcp.destroy();
    this.failed(new Error(reason));
    this.handler.onClose(reason);
  }
}

function upgradeRequest(host: string, accessToken: string): string {
  return [
    `GET ${SOCKET_PATH}/?EIO=4&transport=websocket HTTP/1.1`,
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    'Sec-WebSocket-Version: 13',
    `Authorization: Bearer ${accessToken}`,
    '\r\n',
  ].join('\r\n');
}

function closeReason(buffer: Buffer, start: number, end: number): string {
  if (end - start < 2) return 'closed by the server';
  return `closed by the server: ${buffer.readUInt16BE(start)} ${buffer.toString('utf8', start + 2, end)}`.trim();
}

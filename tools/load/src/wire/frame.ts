/** RFC 6455 opcodes that a client meets. */
export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Receives one whole frame: its payload is `buffer[start, end)`, valid during the call only. */
export type OnFrame = (opcode: number, buffer: Buffer, start: number, end: number) => void;

const EMPTY = Buffer.alloc(0);

/**
 * Cuts the bytes of a server into websocket frames without copying them. It knows what Socket.IO servers send without
 * compression: unmasked, unfragmented frames; anything else is an error, since counting on would be guessing.
 */
export class FrameReader {
  private rest = EMPTY;

  constructor(private readonly onFrame: OnFrame) {}

  /**
   * Takes `bytes`, which may be overwritten after the call: only an unfinished frame is copied.
   * @throws Error on a fragmented or masked frame.
   */
  push(bytes: Buffer): void {
    const buffer = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (buffer.length - at >= 2) {
      const first = buffer[at] as number;
      const second = buffer[at + 1] as number;
      if ((first & 0xf0) !== 0x80) throw new Error('The server sent a fragmented or compressed frame.');
      if (second & 0x80) throw new Error('The server sent a masked frame.');
      let length = second;
      let start = at + 2;
      if (length === 126) {
        if (buffer.length - at < 4) break;
        length = buffer.readUInt16BE(start);
        start += 2;
      } else if (length === 127) {
        if (buffer.length - at < 10) break;
        length = Number(buffer.readBigUInt64BE(start));
        start += 8;
      }
      const end = start + length;
      if (end > buffer.length) break;
      this.onFrame(first & 0x0f, buffer, start, end);
      at = end;
    }
    this.rest = at === buffer.length ? EMPTY : Buffer.from(buffer.subarray(at));
  }
}

/**
 * One client frame. Clients must mask; the key is zero, which is valid and leaves the payload as it is, so that masking
 * costs the generator nothing.
 */
export function clientFrame(opcode: number, payload: string): Buffer {
  const length = Buffer.byteLength(payload);
  if (length > 0xffff) throw new Error(`A payload of ${length} bytes is more than this generator sends.`);
  const headerBytes = length < 126 ? 6 : 8;
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame[0] = 0x80 | opcode;
  if (length < 126) {
    frame[1] = 0x80 | length;
  } else {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  }
  frame.writeUInt32BE(0, headerBytes - 4);
  frame.write(payload, headerBytes);
  return frame;
}

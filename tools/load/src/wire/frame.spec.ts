import { clientFrame, FrameReader, opcodes } from './frame';

function serverFrame(payload: string): Buffer {
  const body = Buffer.from(payload);
  if (body.length < 126) return Buffer.concat([Buffer.from([0x81, body.length]), body]);
  if (body.length <= 0xffff) {
    const header = Buffer.from([0x81, 126, 0, 0]);
    header.writeUInt16BE(body.length, 2);
    return Buffer.concat([header, body]);
  }
  const header = Buffer.alloc(10);
  header[0] = 0x81;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([header, body]);
}

function read(chunks: Buffer[]): string[] {
  const seen: string[] = [];
  const reader = new FrameReader((opcode, buffer, start, end) => {
    seen.push(`${opcode}:${buffer.toString('utf8', start, end)}`);
  });
  // The same memory for every chunk, as the sockets do it.
  const shared = Buffer.alloc(200_000);
  for (const chunk of chunks) {
    chunk.copy(shared);
    reader.push(shared.subarray(0, chunk.length));
  }
  return seen;
}

describe('FrameReader', () => {
  const payloads = ['a', '', 'é'.repeat(100), 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(70_000)];
  const stream = Buffer.concat(payloads.map(serverFrame));
  const expected = payloads.map((payload) => `1:${payload}`);

  it('reads frames of every length form', () => {
    expect(read([stream])).toEqual(expected);
  });

  it.each([1, 2, 3, 7, 127, 4096])('reads the same frames from chunks of %d bytes', (size) => {
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
    expect(read(chunks)).toEqual(expected);
  });

  it('refuses fragments and masked frames', () => {
    const reader = new FrameReader(() => undefined);
    expect(() => reader.push(Buffer.from([0x01, 1, 97]))).toThrow('fragmented');
    expect(() => reader.push(clientFrame(opcodes.text, 'a'))).toThrow('masked');
  });
});

describe('clientFrame', () => {
  it('masks with a zero key', () => {
    expect([...clientFrame(opcodes.text, 'hi')]).toEqual([0x81, 0x82, 0, 0, 0, 0, 104, 105]);
  });

  it('uses the 16-bit length from 126 bytes on', () => {
    const frame = clientFrame(opcodes.text, 'a'.repeat(126));
    expect([...frame.subarray(0, 8)]).toEqual([0x81, 0xfe, 0, 126, 0, 0, 0, 0]);
    expect(frame.length).toBe(8 + 126);
  });
});

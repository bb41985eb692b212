import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type ServerOptions, type Socket } from 'socket.io';
import { io, type Socket as ClientSocket } from 'socket.io-client';
import { ackFrame, eventFrame } from './frames';
import { connectionOf, guard, GuardedServer, unsentBytes, writeFrames, type EventPacket } from './wire';

/** What this service uses of Socket.IO below its public interface still does what it relies on. */
describe('the wire', () => {
  const http = createServer();
  const server = new Server(http, {
    transports: ['websocket'],
    perMessageDeflate: false,
    maxHttpBufferSize: 1_000,
    wsEngine: GuardedServer as unknown as ServerOptions['wsEngine'],
  });
  const packets: EventPacket[] = [];
  const refusals: boolean[] = [];
  let socket: Socket;
  let client: ClientSocket;
  const received: unknown[][] = [];

  beforeAll(async () => {
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    client = io(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, { transports: ['websocket'] });
    client.onAny((...args: unknown[]) => received.push(args));
    socket = await new Promise<Socket>((resolve) => server.once('connection', resolve));
    guard(socket, {
      onEvent: (packet) => packets.push(packet),
      onRefused: (tooLarge) => refusals.push(tooLarge),
    });
  });
  afterAll(async () => {
    client.disconnect();
    await server.close();
  });

  it('carries frames of every size, several in one write, in order with Socket.IO’s own', async () => {
    const connection = connectionOf(socket);
    const bodies = ['', 'ä€😀', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(65_535), 'w'.repeat(200_000)];
    const frames = bodies.map((title) => eventFrame('position', { versions: { [title]: 1 } }));
    writeFrames(connection, Buffer.concat(frames));
    socket.emit('between');
    for (const frame of frames) writeFrames(connection, frame);
    socket.emit('last');
    while (received.at(-1)?.[0] !== 'last')
      await new Promise((resolve) => client.io.engine.once('data', resolve));
    const positions = bodies.map((title) => ['position', { versions: { [title]: 1 } }]);
    expect(received).toEqual([...positions, ['between'], ...positions, ['last']]);
    expect(unsentBytes(connection)).toBe(0);
  });

  it('hands events to the guard as they are, and answers them', async () => {
    const answer = client.emitWithAck('question', { a: 1 }, 2);
    while (packets.length === 0) await once(socket.conn, 'packet');
    await new Promise((resolve) => setImmediate(resolve));
    const [packet] = packets;
    expect(packet?.data).toEqual(['question', { a: 1 }, 2]);
    writeFrames(connectionOf(socket), ackFrame(packet?.id ?? -1, { ok: true }));
    expect(await answer).toEqual({ ok: true });
  });

  it('keeps nothing of the handshake', () => {
    expect(socket.handshake.headers).toEqual({});
    expect(connectionOf(socket).request).toBeUndefined();
  });

  it('tells the guard of a frame that is too large before the socket closes', async () => {
    const closed = new Promise((resolve) => client.once('disconnect', resolve));
    client.emit('large', 'x'.repeat(2_000));
    await closed;
    expect(refusals[0]).toBe(true);
  });
});

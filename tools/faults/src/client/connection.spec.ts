import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SOCKET_PATH } from '@parley/contracts';
import { until } from '@parley/testing';
import { Server, type Socket } from 'socket.io';
import { Connection } from './connection';

describe('Connection', () => {
  let http: HttpServer;
  let io: Server;
  let connection: Connection;
  const tokens: string[] = [];
  let issued = 0;

  function open(): { events: [socketId: string, name: string][] } {
    const events: [string, string][] = [];
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    connection = new Connection('anna', url, () => `token-${++issued}`, {
      onEvent: (socketId, name) => events.push([socketId, name]),
    });
    return { events };
  }

  async function nextSocket(): Promise<Socket> {
    const [socket] = (await once(io, 'connection')) as [Socket];
    return socket;
  }

  beforeEach(async () => {
    http = createServer();
    io = new Server(http, { path: SOCKET_PATH, transports: ['websocket'] });
    io.use((socket, next) => {
      tokens.push(socket.handshake.headers.authorization ?? '');
      next();
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
  });

  afterEach(async () => {
    connection.close();
    await io.close();
    tokens.length = 0;
  });

  it('asks and is answered', async () => {
    open();
    const socket = await nextSocket();
    socket.on('sync', (payload: object, ack: (answer: object) => void) => ack({ ok: true, payload }));
    socket.emit('ready', {});
    const answered = once(socket, 'sync');
    await until('the client is connected', () => connection.isConnected);
    const answer = await connection.ask<{ payload: object }>('sync', { limit: 1 });
    await answered;
    expect(answer).toEqual({ ok: true, payload: { limit: 1 } });
  });

  it('comes back with a fresh token after the server sent it away', async () => {
    const { events } = open();
    const first = await nextSocket();
    const second = nextSocket();
    first.emit('session:closing', { code: 'draining', reconnect: true, retryAfterMs: 1 });
    first.disconnect(true);
    (await second).emit('ready', {});
    await until('the client has its `ready`', () => events.some(([, name]) => name === 'ready'));
    expect(events.map(([socketId]) => socketId)).toEqual(['anna#1', 'anna#2']);
    expect(new Set(tokens).size).toBe(2);
  });

  it('comes back after the connection broke', async () => {
    open();
    const first = await nextSocket();
    const second = nextSocket();
    first.conn.close();
    await second;
    expect(new Set(tokens).size).toBe(2);
  });

  it('answers `disconnected` for what was under way or could not be sent', async () => {
    open();
    const socket = await nextSocket();
    await until('the client is connected', () => connection.isConnected);
    socket.on('message:send', () => socket.conn.close());
    const lost = await connection.ask('message:send', {});
    expect(lost).toMatchObject({ ok: false, error: { code: 'disconnected' } });
    connection.close();
    const unsent = await connection.ask('message:send', {});
    expect(unsent).toMatchObject({ ok: false, error: { code: 'disconnected' } });
  });
});

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { SOCKET_PATH } from '@parley/contracts';
import { certificatePaths, makeCertificates } from '@parley/tool-local';
import { Server } from 'socket.io';
import { RawSocket, type RawSocketHandler } from './raw-socket';

interface Seen extends RawSocketHandler {
  events: string[];
  acks: string[];
  closed: Promise<string>;
  until(count: number): Promise<void>;
}

function recorder(): Seen {
  let onChange = (): void => undefined;
  let onClose!: (reason: string) => void;
  const seen: Seen = {
    events: [],
    acks: [],
    closed: new Promise((resolve) => (onClose = resolve)),
    onEvent(buffer, start, end) {
      seen.events.push(buffer.toString('utf8', start, end));
      onChange();
    },
    onAck(ackId, buffer, start, end) {
      seen.acks.push(`${ackId} ${buffer.toString('utf8', start, end)}`);
      onChange();
    },
    onClose: (reason) => onClose(reason),
    until: (count) =>
      new Promise((resolve) => {
        onChange = () => {
          if (seen.events.length + seen.acks.length >= count) resolve();
        };
        onChange();
      }),
  };
  return seen;
}

describe('RawSocket against a stock Socket.IO server', () => {
  let http: HttpServer;
  let io: Server;
  let url: string;

  beforeEach(async () => {
    http = createServer();
    io = new Server(http, {
      path: SOCKET_PATH,
      transports: ['websocket'],
      pingInterval: 50,
      // A late pong must not end a test on a busy machine.
      pingTimeout: 60_000,
    });
    io.use((socket, next) => {
      const allowed = socket.handshake.headers.authorization === 'Bearer good';
      next(allowed ? undefined : new Error('unauthenticated'));
    });
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  });

  afterEach(async () => {
    await io.close();
  });

  it('gets events and acks, in the order of the server', async () => {
    io.on('connection', (socket) => {
      socket.emit('ready', { node: 'ä' });
      socket.on('message:send', (payload: unknown, ack: (answer: unknown) => void) => {
        ack({ ok: true, payload });
        socket.emit('message:created', { big: 'x'.repeat(100_000) });
      });
    });
    const handler = recorder();
    const socket = await RawSocket.open({ url, accessToken: 'good', handler });
    socket.emit(7, 'message:send', '{"body":"hello"}');
    await handler.until(3);
    expect(handler.events[0]).toBe('["ready",{"node":"ä"}]');
    expect(handler.acks).toEqual(['7 [{"ok":true,"payload":{"body":"hello"}}]']);
    expect(JSON.parse(handler.events[1] as string)).toEqual([
      'message:created',
      { big: 'x'.repeat(100_000) },
    ]);
    socket.close();
    expect(await handler.closed).toBe('closed by the generator');
  });

  it('answers pings, so that the server keeps it', async () => {
    const handler = recorder();
    const pongs = new Promise<void>((resolve) => {
      io.engine.on('connection', (connection: NodeJS.EventEmitter) => {
        let count = 0;
        connection.on('packet', (packet: { type: string }) => {
          if (packet.type === 'pong' && ++count === 3) resolve();
        });
      });
    });
    const socket = await RawSocket.open({ url, accessToken: 'good', handler });
    await pongs;
    socket.close();
  });

  it('says why it was refused', async () => {
    await expect(RawSocket.open({ url, accessToken: 'bad', handler: recorder() })).rejects.toThrow(
      'unauthenticated',
    );
    await expect(
      RawSocket.open({ url: 'http://127.0.0.1:9', accessToken: 'good', handler: recorder() }),
    ).rejects.toThrow('ECONNREFUSED');
  });

  it('tells when the server ends it', async () => {
    const handler = recorder();
    io.on('connection', (socket) => socket.disconnect(true));
    await RawSocket.open({ url, accessToken: 'good', handler });
    expect(await handler.closed).toMatch(/server/);
  });
});

describe('RawSocket against a Socket.IO server with TLS', () => {
  const WORKSPACE = resolve(__dirname, '../../../..');
  const folder = mkdtempSync(join(tmpdir(), 'parley-raw-socket-'));
  const { ca, cert, key } = certificatePaths(folder, 'gateway');
  const big = 'x'.repeat(1_000_000);
  let io: Server;
  let url: string;

  beforeAll(async () => {
    await makeCertificates(WORKSPACE, folder, ['--names', 'gateway']);
    const https = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) });
    io = new Server(https, { path: SOCKET_PATH, transports: ['websocket'] });
    io.on('connection', (socket) => socket.emit('message:created', { big }));
    https.listen(0, '127.0.0.1');
    await once(https, 'listening');
    url = `https://localhost:${(https.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    await io.close();
    rmSync(folder, { recursive: true });
  });

  it('refuses an authority that Node does not trust', async () => {
    await expect(RawSocket.open({ url, accessToken: 'good', handler: recorder() })).rejects.toThrow(
      'certificate',
    );
  });

  it('gets what is larger than one record and one read, where Node trusts it', async () => {
    // Node reads whom it trusts at its start.
    const program = `const { RawSocket } = require(${JSON.stringify(join(WORKSPACE, 'tools/load/dist/index.js'))});
      const onEvent = (buffer, start, end) => {
        process.stdout.write(buffer.toString('utf8', start, end), () => process.exit());
      };
      const handler = { onEvent, onClose: (reason) => console.error(reason) };
      void RawSocket.open({ url: process.argv[1], accessToken: 'good', handler });`;
    const env = { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: ca };
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program, url], {
      env,
      maxBuffer: 2 * big.length,
    });
    expect(stdout).toBe(JSON.stringify(['message:created', { big }]));
  });
});

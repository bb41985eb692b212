import { freshRedis } from '@parley/testing';
import fc from 'fast-check';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  echoOf,
  eventually,
  expectAlive,
  expectOpen,
  expectProblem,
  expectRefused,
} from './conformance/client';
import type { Echo } from './conformance/echo';
import { startStandIn } from './conformance/stand-in';
import { bearer, type World } from './conformance/world';
import { exchangeRaw, openRaw, readAll } from './testing/raw';

let dir: string;
let world: World;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gateway-'));
  world = await startStandIn('points', await freshRedis(), dir);
});
afterAll(async () => {
  await world.close();
  await rm(dir, { recursive: true });
});
afterEach(async () => {
  echoOf(await world.send('/open'));
});

/** Status, headers as text, and the problem in the body of a raw answer. */
function readProblem(answer: string): { status: number; code?: string } {
  const [head, body] = answer.split('\r\n\r\n') as [string, string];
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  const problem = JSON.parse(body) as { status: number; code: string };
  expect(head.startsWith(`HTTP/1.1 ${problem.status} `)).toBe(true);
  return problem;
}

describe('requests that are none', () => {
  it.each([
    ['no HTTP', 'hello there\r\n\r\n'],
    ['a broken request line', 'GET\r\n\r\n'],
    ['an unknown version', 'GET / HTTP/9.9\r\n\r\n'],
    ['a header without a colon', 'GET / HTTP/1.1\r\nhost: a\r\nnonsense\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nhost : a\r\n\r\n'],
    ['no host', 'GET /open HTTP/1.1\r\nconnection: close\r\n\r\n'],
    ['two lengths', 'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx'],
    ['a length that is none', 'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n'],
    [
      'a length and chunks',
      'POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'an unknown transfer coding',
      'POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, x\r\n\r\n0\r\n\r\n',
    ],
    ['a broken chunk', 'POST /open HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
    ['CONNECT', 'CONNECT example.test:80 HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['no path', 'OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'],
    [
      'an upgrade with a body',
      'POST /open HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 1\r\n\r\nx',
    ],
  ])('%s is 400', async (_, text) => {
    expect(readProblem(await exchangeRaw(world.url, text))).toMatchObject({
      status: 400,
      code: 'invalid_request',
    });
  });

  it.each([
    ['headers', `GET /open HTTP/1.1\r\nhost: a\r\nx-long: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['many headers', `GET /open HTTP/1.1\r\nhost: a\r\n${'x-more: 1\r\n'.repeat(10_000)}\r\n`],
    ['an address', `GET /open?${'x'.repeat(100_000)} HTTP/1.1\r\nhost: a\r\n\r\n`],
  ])('%s of 100 kB are refused', async (_, text) => {
    expect(readProblem(await exchangeRaw(world.url, text))).toMatchObject({
      status: 431,
      code: 'invalid_request',
    });
  });

  it('answers or closes whatever bytes come', async () => {
    const line = fc.constantFrom(
      'GET /open HTTP/1.1',
      'host: a',
      'connection: upgrade',
      'upgrade: websocket',
      'content-length: 5',
      'transfer-encoding: chunked',
      '',
      '0',
      '5',
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
      fc
        .array(fc.oneof(line, fc.string({ unit: 'binary-ascii', maxLength: 20 })), { maxLength: 12 })
        .map((lines) => Buffer.from(lines.join('\r\n'), 'latin1')),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (sent) => {
        const socket = openRaw(world.url);
        const answer = readAll(socket);
        socket.end(sent);
        expect(await answer).toMatch(/^$|^HTTP\/1\.1 [1-5]\d\d /);
      }),
      { numRuns: 150 },
    );
  });
});

describe('tokens and paths', () => {
  it('a token of any shape is 401, never a fault', async () => {
    const part = fc.oneof(
      fc.string(),
      fc.jsonValue().map((value) => JSON.stringify(value)),
      fc.constant('{"alg":"ES256","typ":"at+jwt","kid":"suite-a"}'),
    );
    const token = fc
      .tuple(part, part, fc.uint8Array({ minLength: 60, maxLength: 68 }))
      .map(([head, claims, signature]) =>
        [Buffer.from(head), Buffer.from(claims), Buffer.from(signature)]
          .map((bytes) => bytes.toString('base64url'))
          .join('.'),
      );
    await fc.assert(
      fc.asyncProperty(token, async (text) =>
        expectProblem(await world.send('/private', { headers: bearer(text) }), 401),
      ),
      { numRuns: 150 },
    );
  });

  it('no spelling of a path leads past the check of its route', async () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2F',
      '%',
      'open',
      'private',
      'PRIVATE',
      '%70rivate',
      ';',
      '\\',
      '%00',
      '%ff',
      '?',
      '#',
      'x',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        const reply = await world.send(`/${pieces.join('').replace(/#/g, '%23')}`);
        expect([200, 401, 404]).toContain(reply.status);
        if (reply.status === 200)
          expect((JSON.parse(reply.text) as Echo).url).toMatch(
            /^\/(open|strip|order|prefix|longer|regex|x|\/|$|\?)/,
          );
      }),
      { numRuns: 300 },
    );
  });
});

describe('bodies', () => {
  it.each([false, true])('ten megabytes are refused without harm, chunked: %s', async (chunked) => {
    const body = Buffer.alloc(10 * 2 ** 20);
    expectProblem(await world.send('/small', { method: 'POST', body, chunked }), 413);
  });

  it('a length over the limit is refused before a byte of it comes', async () => {
    const socket = openRaw(world.url);
    socket.write('POST /small HTTP/1.1\r\nhost: a\r\ncontent-length: 999999\r\n\r\n');
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });

  it('a client that waits for 100 is told at once, to go on or not', async () => {
    const head = (length: number) =>
      `POST /small HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`;
    const welcome = openRaw(world.url);
    welcome.write(head(5));
    const [told] = (await once(welcome, 'data')) as [Buffer];
    expect(told.toString()).toMatch(/^HTTP\/1\.1 100 /);
    welcome.write('hello');
    expect(await readAll(welcome)).toMatch(/^HTTP\/1\.1 200 [^]*"body":"hello"/);

    const refused = openRaw(world.url);
    refused.write(head(5000));
    expect(((await once(refused, 'data')) as [Buffer])[0].toString()).toMatch(/^HTTP\/1\.1 417 /);
    refused.destroy();
  });

  it('a client that goes away in the middle of its body, or before its answer, hurts nobody', async () => {
    const half = openRaw(world.url);
    half.write('POST /open HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf');
    const waiting = openRaw(world.url);
    waiting.write('GET /faults/slow HTTP/1.1\r\nhost: a\r\n\r\n');
    const never = openRaw(world.url);
    never.write('GET /op');
    echoOf(await world.send('/open'));
    for (const socket of [half, waiting, never]) socket.resetAndDestroy();
  });

  it('requests on one connection are answered in their order', async () => {
    const request = (id: number, end = '') => `GET /open/${id} HTTP/1.1\r\nhost: a\r\n${end}\r\n`;
    const answer = await exchangeRaw(
      world.url,
      request(1) + request(2) + request(3, 'connection: close\r\n'),
    );
    expect([...answer.matchAll(/"url":"\/open\/(\d)"/g)].map(([, id]) => id)).toEqual(['1', '2', '3']);
  });
});

describe('services that misbehave', () => {
  let service: Server;
  let act: (socket: Socket) => void;
  const accepted = new Set<Socket>();

  beforeAll(async () => {
    service = createServer((socket) => {
      accepted.add(socket);
      socket.on('error', () => undefined);
      // Health checks and a Redis client of other configured services try this port too.
      socket.once('data', (head) =>
        /^GET \/(refused|mute)/.test(head.toString()) ? act(socket) : socket.destroy(),
      );
    });
    service.listen(world.state.deadPort, '127.0.0.1');
    await once(service, 'listening');
  });
  afterAll(async () => {
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => service.close(resolve));
  });

  it.each([
    ['no HTTP', 'garbage\r\n\r\n'],
    ['nothing at all', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 OK\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'],
  ])('%s is 502', async (_, text) => {
    act = (socket) => socket.end(text);
    expectProblem(await world.send('/refused'), 502);
  });

  it('no answer to an upgrade is 504, a refusal is passed on', async () => {
    act = () => undefined;
    expectRefused(await world.open('/mute'), 504);
    act = (socket) =>
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-type: text/x\r\ncontent-length: 2\r\n\r\nno');
    expect(await world.open('/refused')).toMatchObject({ status: 403, text: 'no' });
  });

  it('a well-behaved one is asked again on the same connection', async () => {
    let connections = 0;
    let left = 5;
    act = (socket) => {
      connections += 1;
      const answer = () => {
        left -= 1;
        const connection = left > 0 ? 'keep-alive' : 'close';
        socket.write(`HTTP/1.1 200 OK\r\nconnection: ${connection}\r\ncontent-length: 2\r\n\r\nok`);
      };
      answer();
      socket.on('data', answer);
    };
    while (left > 0) expect(await world.send('/refused')).toMatchObject({ status: 200, text: 'ok' });
    expect(connections).toBe(1);
  });

  it('an answer that breaks off breaks off for the client too', async () => {
    act = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf');
      setImmediate(() => socket.resetAndDestroy());
    };
    await expect(world.send('/refused')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });

  it('a client that does not read holds its service back, and then gets every byte', async () => {
    const block = Buffer.alloc(2 ** 20, 'x');
    const blocks = 64;
    let written = 0;
    act = (socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
      const pump = () => {
        while (written < blocks) {
          written += 1;
          if (!socket.write(block)) return void socket.once('drain', pump);
        }
        socket.end();
      };
      pump();
    };
    const client = openRaw(world.url);
    client.pause();
    client.write('GET /refused HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
    await eventually(async () => expect(written).toBeGreaterThan(2));
    // Other traffic goes on meanwhile, and what is held back stays held back.
    for (let count = 0; count < 20; count += 1) echoOf(await world.send('/open'));
    expect(written).toBeLessThan(blocks);
    let bytes = 0;
    client.on('data', (chunk) => (bytes += chunk.length));
    client.resume();
    await once(client, 'close');
    expect(bytes).toBeGreaterThan(blocks * block.length);
    expect(bytes).toBeLessThan(blocks * block.length + 2000);
  });
});

describe('sockets', () => {
  it('a dead target of an upgrade is an HTTP answer', async () => {
    expectRefused(await world.open('/refused'), 502);
  });

  it('the other side hears of either end closing', async () => {
    const opened = expectOpen(await world.open('/open'));
    await expectAlive(opened, 'x');
    opened.socket.close(1000);
    const [code] = (await once(opened.socket, 'close')) as [number];
    expect(code).toBe(1000);
  });

  it('an upgrade to something else is answered as plain HTTP', async () => {
    const text =
      'GET /open HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x\r\n\r\n';
    expect(await exchangeRaw(world.url, text)).toMatch(/^HTTP\/1\.1 200 [^]*"url":"\/open"/);
  });
});

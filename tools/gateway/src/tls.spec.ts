import { freshRedis, makeCertificates, until } from '@parley/testing';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as requestHttps } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { parse, stringify } from 'yaml';
import { send } from './conformance/client';
import { configOf, makeState } from './conformance/stand-in';
import { startWorld, type World } from './conformance/world';
import { startGateway, type Gateway } from './gateway';

interface Document {
  services: { routes: object[] }[];
}

let dir: string;
let gateway: Gateway;
let world: World;
const at = (name: string) => join(dir, name);
const ca = () => readFileSync(at('ca.pem'));

/** Puts the certificate where the gateway reads it, as a renewal does: one file after the other. */
function install(): void {
  for (const name of ['gateway.pem', 'gateway.key']) copyFileSync(at(`made/${name}`), at(name));
  copyFileSync(at('made/ca.pem'), at('ca.pem'));
}

/** The suite's configuration with every route for HTTPS alone, and with the redirection of kong.yml. */
function encryptedOnly(text: string): string {
  const document = parse(text) as Document;
  for (const route of document.services.flatMap(({ routes }) => routes))
    Object.assign(route, { protocols: ['https'], https_redirect_status_code: 308 });
  return stringify(document).replace('local seconds = 0', 'local seconds = 600');
}

async function handshake(): Promise<{ socket: TLSSocket; fingerprint: string }> {
  const socket = connect({ host: '127.0.0.1', servername: 'localhost', port: gateway.tlsPort!, ca: ca() });
  await once(socket, 'secureConnect');
  return { socket, fingerprint: socket.getPeerCertificate().fingerprint256 };
}

function get(path: string): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', port: gateway.tlsPort, path, ca: ca(), agent: false as const };
    requestHttps(options, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    })
      .on('error', reject)
      .end();
  });
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gateway-tls-'));
  await makeCertificates(at('made'));
  install();
  const state = await makeState('points', await freshRedis());
  await writeFile(at('kong.yml'), encryptedOnly(configOf(state)));
  gateway = await startGateway({
    configFile: at('kong.yml'),
    port: 0,
    tls: { port: 0, certFile: at('gateway.pem'), keyFile: at('gateway.key') },
    watch: true,
  });
  world = await startWorld(`http://127.0.0.1:${gateway.port}`, state, '127.0.0.1');
});
afterAll(async () => {
  await gateway.stop(0);
  await world.close();
  await rm(dir, { recursive: true });
});

test('over HTTPS a request reaches its service, which hears how it came, and browsers are told to stay', async () => {
  const { status, headers, text } = await get('/open');
  expect(status).toBe(200);
  expect((JSON.parse(text) as { headers: object }).headers).toMatchObject({
    'x-forwarded-proto': 'https',
    'x-forwarded-port': String(gateway.tlsPort),
  });
  expect(headers['strict-transport-security']).toBe('max-age=600');
});

test('plain HTTP is redirected, with its query and without a word on how long to stay', async () => {
  const reply = await send(world.url, '/open?a=b', { headers: { host: 'chat.example:8000' } });
  expect(reply.status).toBe(308);
  expect(reply.headers.location).toBe('https://chat.example/open?a=b');
  expect(reply.headers['strict-transport-security']).toBeUndefined();
  const socket = await world.open('/open');
  expect(socket).toMatchObject({ status: 308 });
  await expect(handshakeOf('TLSv1.1')).rejects.toThrow();
});

async function handshakeOf(maxVersion: 'TLSv1.1'): Promise<void> {
  const socket = connect({
    host: '127.0.0.1',
    port: gateway.tlsPort!,
    servername: 'localhost',
    ca: ca(),
    minVersion: maxVersion,
    maxVersion,
  });
  await once(socket, 'secureConnect');
}

test('a renewed certificate is shown to new connections while an open websocket lives on', async () => {
  const before = await handshake();
  before.socket.destroy();
  const socket = new WebSocket(`wss://localhost:${gateway.tlsPort}/open`, { ca: ca() });
  await once(socket, 'message');

  await makeCertificates(at('made'), ['next']);
  await makeCertificates(at('made'), ['renew', '--names', 'gateway']);
  install();
  await until('the new certificate is shown', async () => {
    const { socket: fresh, fingerprint } = await handshake();
    fresh.destroy();
    return fingerprint !== before.fingerprint;
  });
  const echoed = once(socket, 'message');
  socket.send('still here');
  expect(String(((await echoed) as [Buffer])[0])).toContain('still here');

  // A key of another pair: what is in use stays in use.
  await writeFile(at('gateway.key'), readFileSync(at('made/redis.key')));
  await expect(gateway.reload()).rejects.toThrow('gateway.key cannot be used');
  expect((await get('/open')).status).toBe(200);
  socket.terminate();
});

import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { makeCertificates, until } from '@parley/testing';
import { clientTls, metricsRegistry } from '..';
import { tlsFailure } from './failure';

const directory = mkdtempSync(join(tmpdir(), 'parley-tls-'));
const mounted = join(directory, 'mounted');
let server: Server;
let config: Record<string, string>;

/** Puts `files` under `mounted` as Kubernetes does: a folder of their own, and a link that is swapped. */
function mount(version: string, files: Record<string, string>): void {
  const folder = join(mounted, `..${version}`);
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  symlinkSync(`..${version}`, join(mounted, '..data_tmp'));
  renameSync(join(mounted, '..data_tmp'), join(mounted, '..data'));
}

function filesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    ['ca.pem', 'client.pem', 'client.key'].map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

function serve(folder: string): { ca: Buffer; cert: Buffer; key: Buffer } {
  const read = (name: string) => readFileSync(join(folder, name));
  return { ca: read('ca.pem'), cert: read('redis.pem'), key: read('redis.key') };
}

/** What a new connection comes to: nothing, or its failure. With TLS 1.3 a server refuses only after the handshake. */
function attempt(hold?: (socket: TLSSocket) => void): Promise<Error | undefined> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ...clientTls('REDIS', config),
    });
    socket.once('error', resolve);
    socket.once('data', () => {
      resolve(undefined);
      if (hold) hold(socket);
      else socket.destroy();
    });
  });
}

beforeAll(async () => {
  for (const name of ['first', 'second']) await makeCertificates(join(directory, name));
  mount('1', filesOf(join(directory, 'first')));
  for (const name of ['ca.pem', 'client.pem', 'client.key'])
    symlinkSync(join('..data', name), join(mounted, name));
  config = {
    REDIS_URL: 'rediss://localhost',
    REDIS_CA_FILE: join(mounted, 'ca.pem'),
    TLS_CERT_FILE: join(mounted, 'client.pem'),
    TLS_KEY_FILE: join(mounted, 'client.key'),
  };
  server = createServer({ ...serve(join(directory, 'first')), requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(chunk));
    socket.write('hello');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

test('new connections take certificates that were swapped, open ones live on, bad ones change nothing', async () => {
  const held = await new Promise<TLSSocket>((resolve) => void attempt(resolve));
  expect(held.authorized).toBe(true);

  server.setSecureContext(serve(join(directory, 'second')));
  const strange = await attempt();
  expect(tlsFailure(strange)).toContain('an authority that is not trusted');
  mount('2', filesOf(join(directory, 'second')));
  // The files are read again a moment after they change.
  await until('a new connection is taken', async () => (await attempt()) === undefined);

  // A key of another certificate: the last good pair stays.
  mount('3', {
    ...filesOf(join(directory, 'second')),
    'client.key': filesOf(join(directory, 'first'))['client.key']!,
  });
  const untilBad = (count: number) =>
    until(`${count} servers have bad files`, async () => {
      await attempt();
      const metric = await metricsRegistry.getSingleMetricAsString('tls_certificate_files_bad');
      return metric.includes(`tls_certificate_files_bad{server="redis"} ${count}`);
    });
  await untilBad(1);
  expect(await attempt()).toBeUndefined();

  mount('4', filesOf(join(directory, 'second')));
  await untilBad(0);

  const echoed = new Promise((resolve) => held.once('data', resolve));
  held.write('still here');
  expect(String(await echoed)).toBe('still here');
  held.destroy();

  const expiries = await metricsRegistry.getSingleMetricAsString('tls_certificate_expiry_timestamp_seconds');
  for (const certificate of ['authority', 'client', 'server'])
    expect(expiries).toContain(`{server="redis",certificate="${certificate}"}`);
});

test('an expired certificate and one of another host are named as such', async () => {
  const second = join(directory, 'second');
  await makeCertificates(second, ['renew', '--names', 'redis', '--days=-1']);
  server.setSecureContext(serve(second));
  expect(tlsFailure(await attempt())).toContain('has expired');
  await makeCertificates(second, ['renew', '--names', 'redis', '--hosts', 'elsewhere.example']);
  server.setSecureContext(serve(second));
  expect(tlsFailure(await attempt())).toContain('other host names');
});

test('a file that cannot be used is named by its setting', () => {
  const open = (more: object) => () => clientTls('AMQP', { AMQP_URL: 'amqps://queue', ...more });
  writeFileSync(join(directory, 'empty.pem'), 'nothing\n');
  expect(open({ AMQP_CA_FILE: join(directory, 'empty.pem') })).toThrow('AMQP_CA_FILE');
  expect(open({ TLS_CA_FILE: join(directory, 'none.pem') })).toThrow(/^TLS_CA_FILE: .*ENOENT/);
  const paths = {
    AMQP_CERT_FILE: join(directory, 'first/client.pem'),
    AMQP_KEY_FILE: join(directory, 'second/client.key'),
  };
  expect(open(paths)).toThrow(/^AMQP_KEY_FILE: .*cannot be used/);
});

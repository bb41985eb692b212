import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { describeMongo, interruptible, makeCertificates, testMongo } from '@parley/testing';
import { clientTls, connectMongo } from '..';

/** Speaks TLS, with certificates on both sides, in front of a server that does not. */
async function encrypted(port: number, folder: string): Promise<Server> {
  const file = (name: string) => readFileSync(join(folder, name));
  const [ca, cert, key] = [file('ca.pem'), file('mongodb.pem'), file('mongodb.key')];
  const server = createServer({ ca, cert, key, requestCert: true }, (near) => {
    const far = connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => [near, far].forEach((one) => one.destroy()));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

describeMongo('MongoDB behind TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-mongo-tls-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('is reached with the certificates that the settings name', async () => {
    await makeCertificates(folder);
    const line = await interruptible((await testMongo()).url);
    const server = await encrypted(Number(new URL(line.url).port), folder);
    const url = new URL(line.url);
    url.hostname = 'localhost';
    url.port = String((server.address() as AddressInfo).port);
    url.searchParams.set('tls', 'true');
    const config = {
      MONGODB_URL: url.href,
      TLS_CA_FILE: join(folder, 'ca.pem'),
      TLS_CERT_FILE: join(folder, 'client.pem'),
      TLS_KEY_FILE: join(folder, 'client.key'),
    };
    const settings = { url: url.href, app: 'things', migrations: [] };
    const connection = await connectMongo({ ...settings, tls: clientTls('MONGODB', config) });
    await connection.collection('things_items').insertOne({ number: 1 });
    expect(await connection.collection('things_items').countDocuments()).toBe(1);
    await connection.close();
    server.close();
    await line.close();
  });
});

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { describeMongo, makeCertificates, testMongo } from '@parley/testing';
import { clientTls, isBackingServiceAway } from '..';
import { tlsFailure } from '../tls/failure';
import { mongoOptions, openMongo } from './connection';

/** MongoDB behind an end of TLS, as a cluster's proxy or mongod itself shows it: the driver cannot tell. */
describeMongo('MongoDB over TLS', () => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-mongo-tls-'));
  let server: Server;
  let url: URL;

  const serve = () => ({
    ca: readFileSync(join(directory, 'ca.pem')),
    cert: readFileSync(join(directory, 'mongodb.pem')),
    key: readFileSync(join(directory, 'mongodb.key')),
  });

  beforeAll(async () => {
    await makeCertificates(directory);
    url = new URL((await testMongo()).url);
    const target = { host: url.hostname, port: Number(url.port) };
    server = createServer({ ...serve(), requestCert: true, rejectUnauthorized: true }, (socket) => {
      const far = connect(target);
      socket.on('error', () => far.destroy()).pipe(far);
      far.on('error', () => socket.destroy()).pipe(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url.host = `localhost:${(server.address() as AddressInfo).port}`;
    url.searchParams.set('tls', 'true');
    url.searchParams.set('directConnection', 'true');
    url.searchParams.delete('replicaSet');
  });
  afterAll(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });

  function open(name: string) {
    const config = {
      MONGODB_URL: url.href,
      TLS_CA_FILE: join(directory, 'ca.pem'),
      TLS_CERT_FILE: join(directory, `${name}.pem`),
      TLS_KEY_FILE: join(directory, `${name}.key`),
    };
    const options = mongoOptions({
      url: url.href,
      app: 'things',
      migrations: [],
      tls: clientTls('MONGODB', config),
    });
    // Its deadline has passed: one attempt.
    return openMongo(url.href, options, 0);
  }

  test('documents go through with both certificates checked', async () => {
    const connection = await open('client');
    await connection.collection('things').insertOne({ number: 1 });
    expect(await connection.collection('things').countDocuments()).toBe(1);
    await connection.close();
  });

  test('a certificate for another host is refused, and named', async () => {
    await makeCertificates(directory, ['renew', '--names', 'mongodb', '--hosts', 'elsewhere.example']);
    server.setSecureContext(serve());
    const failure: unknown = await open('client').catch((error: unknown) => error);
    expect(tlsFailure(failure)).toContain('other host names');
    expect(isBackingServiceAway(failure)).toBe(true);
  });
});

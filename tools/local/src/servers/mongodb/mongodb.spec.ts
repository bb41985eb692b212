import { join, resolve } from 'node:path';
import { temporaryDirectory } from '../../fixtures/temporary';
import { freePort } from '../../system/ports';
import { certificatePaths, makeCertificates } from '../certificates';
import { requireBinaries } from '../install';
import { postgresServer } from '../postgres';
import { withMongo } from './probe';
import { findMongo, NO_MONGO } from './source';
import { mongoServer } from './start';

const WORKSPACE = resolve(__dirname, '../../../../..');
const BUILD_MS = 600_000;

// A private one: a server that somebody else runs is not ours to kill.
const source = findMongo({});
const describeIf = source ? describe : describe.skip;

describeIf(source ? 'a private MongoDB' : `SKIPPED, because ${NO_MONGO.message} A private MongoDB`, () => {
  const { dir, remove } = temporaryDirectory();
  afterAll(remove);

  it(
    'takes encrypted connections of those it knows alone, and keeps what it took over a crash',
    async () => {
      const certificates = join(dir, 'certificates');
      await makeCertificates(WORKSPACE, certificates);
      const programs = await requireBinaries(() => undefined);
      const plan = { dir, password: 'secret', certificates };
      const postgres = postgresServer({ ...plan, port: await freePort(), programs }, { durable: false });
      await postgres.start();
      const server = await mongoServer(
        source,
        { ...plan, port: await freePort(), databaseUrl: postgres.url },
        () => undefined,
      );
      await server.start();
      const ours = certificatePaths(certificates, 'client');
      const letters = { timeoutMs: 20_000, ours };
      await withMongo(server.url, (client) => client.db().collection('letters').insertOne({ a: 1 }), letters);

      await server.kill();
      await server.start();
      const count = (url: string, options: object) =>
        withMongo(url, (client) => client.db().collection('letters').countDocuments(), options);
      expect(await count(server.url, letters)).toBe(1);
      const short = { timeoutMs: 1_000, ours };
      await expect(count(server.url.replace('tls=true', 'tls=false'), short)).rejects.toThrow();
      await expect(count(server.url, { timeoutMs: 1_000, ours: { ca: ours.ca } })).rejects.toThrow();
      await expect(count(server.url.replace(/:[^:@]+@/, ':wrong@'), short)).rejects.toThrow();
      await server.stop();
      await postgres.stop();
    },
    BUILD_MS,
  );
});

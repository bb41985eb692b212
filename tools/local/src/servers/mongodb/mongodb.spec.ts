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
/** Older servers answer before they have it in the journal. */
const kept = { writeConcern: { w: 'majority', j: true } } as const;

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
      await withMongo(
        server.url,
        (client) => client.db().collection('letters').insertOne({ a: 1 }, kept),
        letters,
      );

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

const mongod = source?.how === 'mongod' ? source : undefined;
const itOnMongod = mongod ? it : it.skip;

describe('a private replica set', () => {
  const { dir, remove } = temporaryDirectory();
  afterAll(remove);

  itOnMongod(
    `${mongod ? '' : 'SKIPPED, because there is no mongod: '}goes on without its primary, which comes back`,
    async () => {
      const ports = [await freePort(), await freePort(), await freePort()] as const;
      const plan = { dir, password: 'secret', databaseUrl: '', port: ports[0], morePorts: ports.slice(1) };
      const server = await mongoServer(mongod, plan, () => undefined);
      await server.start();
      const patient = { timeoutMs: 60_000 };
      const write = (number: number) =>
        withMongo(
          server.url,
          (client) => client.db().collection('letters').insertOne({ number }, kept),
          patient,
        );
      await write(1);
      const first = await server.primary();
      await first.kill();
      await write(2);
      expect((await server.primary()).name).not.toBe(first.name);

      await first.start();
      await server.untilInService();
      const numbers = await withMongo(
        server.url,
        (client) => client.db().collection('letters').find().sort({ number: 1 }).toArray(),
        patient,
      );
      expect(numbers).toMatchObject([{ number: 1 }, { number: 2 }]);
      await server.stop();
    },
  );
});

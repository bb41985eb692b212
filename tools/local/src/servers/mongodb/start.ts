import { LocalError } from '../../system/local-error';
import { type GivenServers, givenServer } from '../given';
import { type MongoServer, noMembers } from '../server';
import { buildFerret } from './build';
import { ferretServer } from './ferretdb';
import { mongodServer } from './mongod';
import { kindOfMongo } from './probe';
import { findMongo, type MongoSource, NO_MONGO } from './source';

export interface MongoPlan {
  /** The run directory. */
  dir: string;
  port: number;
  /** Of further members of a replica set, where it is a MongoDB of our own. */
  morePorts?: number[];
  password: string;
  /** Where FerretDB keeps the data. */
  databaseUrl: string;
  /** A folder of certificates, for encrypted connections alone. */
  certificates?: string;
  /** Whom to trust and what to show to a server that was given. */
  given?: GivenServers;
}

/** Does ahead what would hold up the first start: builds FerretDB, where that is the source. */
export async function prepareMongo(
  env: NodeJS.ProcessEnv,
  onProgress: (line: string) => void,
): Promise<MongoSource | undefined> {
  const source = findMongo(env);
  if (source?.how === 'build') await buildFerret(source.go, onProgress);
  return source;
}

/**
 * Prepares the server of this source; one that was given must answer already.
 * @throws LocalError when there is no source, or FerretDB cannot be built.
 */
export async function mongoServer(
  source: MongoSource | undefined,
  plan: MongoPlan,
  onProgress: (line: string) => void,
): Promise<MongoServer> {
  switch (source?.how) {
    case undefined:
      throw new LocalError(`MongoDB is wanted, but ${NO_MONGO.message}`, NO_MONGO.advice);
    case 'given': {
      const server = givenServer('mongodb', source.url, plan.given ?? {});
      await server.start();
      return Object.assign(server, {
        kind: await kindOfMongo(source.url, plan.given?.tls?.paths),
        ...noMembers,
      });
    }
    case 'mongod':
      return mongodServer({
        ...plan,
        ports: [plan.port, ...(plan.morePorts ?? [])],
        program: source.program,
      });
    case 'ferretdb':
      return ferretServer({ ...plan, program: source.program });
    case 'build':
      return ferretServer({ ...plan, program: await buildFerret(source.go, onProgress) });
  }
}

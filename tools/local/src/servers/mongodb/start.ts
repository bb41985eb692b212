import { LocalError } from '../../system/local-error';
import { givenServer } from '../given';
import type { MongoServer } from '../server';
import { buildFerret } from './build';
import { ferretServer } from './ferretdb';
import { mongodServer } from './mongod';
import { kindOfMongo } from './probe';
import { type MongoSource, NO_MONGO } from './source';

export interface MongoPlan {
  /** The run directory. */
  dir: string;
  port: number;
  password: string;
  /** Where FerretDB keeps the data. */
  databaseUrl: string;
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
      throw new LocalError(NO_MONGO.message, NO_MONGO.advice);
    case 'given': {
      const server = givenServer('mongodb', source.url, {});
      await server.start();
      return Object.assign(server, { kind: await kindOfMongo(source.url) });
    }
    case 'mongod':
      return mongodServer({ ...plan, program: source.program });
    case 'ferretdb':
      return ferretServer({ ...plan, program: source.program });
    case 'build':
      return ferretServer({ ...plan, program: await buildFerret(source.go, onProgress) });
  }
}

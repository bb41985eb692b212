import { loadConfig } from '@parley/service';
import { describeMongo, freshDatabase, itOnMongo, testMongo } from '@parley/testing';
import { storeSchema } from '../config';
import { storeOf } from '../store';
import type { OpenStores } from '../store.kind';

/** The variables that name a store. */
export type StoreEnvironment = Record<string, string>;

/** A store that suites run over. */
export interface TestStoreKind {
  name: string;
  /** A `describe` that says so where there is no such server. */
  describe(name: string, body: () => void): void;
  /** An `it` for what needs a server that can be told to refuse a message. */
  itRefusing(name: string, body: () => Promise<void>): void;
  /** An empty store of one's own. */
  fresh(): Promise<StoreEnvironment>;
  /** How many random logs it is tried with; fewer where a call costs more, as FerretDB's do. */
  propertyRuns: number;
}

export const postgres: TestStoreKind = {
  name: 'PostgreSQL',
  describe: (name, body) => describe(name, body),
  itRefusing: (name, body) => it(name, body),
  fresh: async () => ({ MESSAGE_STORE: 'postgresql', DATABASE_URL: await freshDatabase() }),
  propertyRuns: 60,
};

const mongo: TestStoreKind = {
  name: 'MongoDB',
  describe: describeMongo,
  itRefusing: itOnMongo,
  async fresh() {
    const url = new URL((await testMongo()).url);
    // By the given address and no other of the replica set, so that a spec can break the line.
    url.searchParams.set('directConnection', 'true');
    return { MESSAGE_STORE: 'mongodb', MONGODB_URL: url.href };
  },
  propertyRuns: 15,
};

/** The suite over each store that the view can be kept in. Specs only. */
export function describeStores(name: string, body: (kind: TestStoreKind) => void): void {
  for (const kind of [postgres, mongo]) kind.describe(`${name} (${kind.name})`, () => body(kind));
}

/** The view in this store, brought up to date. Specs only. */
export async function openTestStore(environment: StoreEnvironment): Promise<OpenStores> {
  const config = loadConfig(storeSchema, environment);
  const store = storeOf(config);
  await store.migrate(config);
  return store.open(config);
}

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findMongo, type MongoKind, NO_MONGO, otherDatabase, withMongo } from '@parley/tool-local';
import { MONGO_FILES } from './mongo.files';
import { freshName } from './names';
import { testServers } from './servers';

export interface TestMongo {
  /** MONGODB_URL of an empty database of one's own. */
  url: string;
  /** What serves it. FerretDB validates no documents, explains no plans of MongoDB's, and is no replica set. */
  kind: MongoKind;
}

/** Building FerretDB may come first. */
const START_TIMEOUT_MS = 600_000;

const made: string[] = [];

/**
 * A `describe` for what needs MongoDB. Where there is none its tests are skipped, by a name that says so (and `npm test`
 * says it again at its end). Databases made by `testMongo` are dropped after it.
 */
export function describeMongo(name: string, body: () => void): void {
  if (!findMongo(process.env)) {
    describe.skip(`SKIPPED, because ${NO_MONGO.message} ${name}`, body);
    return;
  }
  describe(name, () => {
    beforeAll(server, START_TIMEOUT_MS);
    body();
    afterAll(dropAll);
  });
}

/**
 * An `it`, within `describeMongo`, for what FerretDB cannot do, such as to refuse a document. Skipped there, by a name
 * that says so.
 */
export function itOnMongo(name: string, body: () => Promise<void>): void {
  const how = findMongo(process.env)?.how;
  if (how === 'ferretdb' || how === 'build') it.skip(`SKIPPED, because FerretDB cannot: ${name}`, body);
  else it(name, body);
}

/** A MongoDB database of one's own, empty. For suites inside `describeMongo`. */
export async function testMongo(): Promise<TestMongo> {
  const { url: shared, kind } = await server();
  const url = otherDatabase(shared, freshName());
  made.push(url);
  return { url, kind };
}

let known: Promise<TestMongo> | undefined;

function server(): Promise<TestMongo> {
  known ??= ask();
  return known;
}

async function ask(): Promise<TestMongo> {
  const { dir } = await testServers();
  writeFileSync(join(dir, MONGO_FILES.wanted), '');
  const [started, failed] = [join(dir, MONGO_FILES.started), join(dir, MONGO_FILES.failed)];
  while (!existsSync(started)) {
    if (existsSync(failed)) throw new Error(`MongoDB did not start: ${readFileSync(failed, 'utf8')}`);
    await delay(50);
  }
  return JSON.parse(readFileSync(started, 'utf8')) as TestMongo;
}

async function dropAll(): Promise<void> {
  for (const url of made.splice(0))
    await withMongo(url, (client) => client.db().dropDatabase(), { timeoutMs: 60_000 });
}

import { randomUUID } from 'node:crypto';
import type { Connection, mongo } from 'mongoose';
import { getLogger } from '../logging';
import { mongoOptions, openMongo, type MongoSettings } from './connection';
import type { MongoMigration } from './migration';
import { MongoSchema } from './schema';

const log = getLogger('MongoDB');

interface Entry {
  _id: string;
  appliedAt?: Date;
  holder?: string;
  until?: Date;
}

const lockMs = 30_000;
const renewMs = 5_000;
const pollMs = 200;
const patienceMs = 30_000;
const duplicateKey = 11_000;

/**
 * Runs the migrations that are not recorded in `<app>_migrations` yet, for `migrate.ts`, and gives their names. Any
 * number may run at once: one works, the others wait for it. Waits up to 30 s for the server to come up. Nothing is
 * bounded in time, since an index over a large collection takes long.
 */
export async function runMongoMigrations(settings: MongoSettings): Promise<string[]> {
  const options = { ...mongoOptions(settings), socketTimeoutMS: 0, serverSelectionTimeoutMS: 5000 };
  options.writeConcern = { w: 'majority', j: true, journal: true };
  const connection = await openMongo(settings.url, options, Date.now() + patienceMs);
  try {
    const names = await locked(recordsOf(connection, settings.app), () => runPending(connection, settings));
    log.info({ app: settings.app, names }, 'MongoDB is migrated.');
    return names;
  } finally {
    await connection.close();
  }
}

/** @throws Error that names the migrations which are not recorded. */
export async function requireMigrated(connection: Connection, settings: MongoSettings): Promise<void> {
  const pending = await pendingMigrations(connection, settings);
  if (pending.length === 0) return;
  const names = pending.map(({ name }) => name).join(', ');
  throw new Error(`MongoDB lacks migrations of ${settings.app}: ${names}. Run: node dist/migrate.js`);
}

async function runPending(connection: Connection, settings: MongoSettings): Promise<string[]> {
  const schema = await MongoSchema.of(databaseOf(connection));
  const done: string[] = [];
  for (const { name, up } of await pendingMigrations(connection, settings)) {
    await up(schema);
    await recordsOf(connection, settings.app).insertOne({ _id: name, appliedAt: new Date() });
    done.push(name);
  }
  return done;
}

async function pendingMigrations(connection: Connection, settings: MongoSettings): Promise<MongoMigration[]> {
  const records = await recordsOf(connection, settings.app).find().toArray();
  const known = new Set(records.map(({ _id }) => _id));
  return settings.migrations.filter(({ name }) => !known.has(name));
}

function recordsOf(connection: Connection, app: string): mongo.Collection<Entry> {
  return databaseOf(connection).collection<Entry>(`${app}_migrations`);
}

/** The driver's database: Mongoose's own holds commands back while it thinks itself unconnected. */
function databaseOf(connection: Connection): mongo.Db {
  return connection.getClient().db() as mongo.Db;
}

/**
 * Does `work` while holding the lock: an entry that its holder renews. That of a holder who died is free after 30 s by
 * our clock; clocks that differ by more let two work at once, which slows them and, steps being harmless, is all.
 */
async function locked<T>(records: mongo.Collection<Entry>, work: () => Promise<T>): Promise<T> {
  const holder = randomUUID();
  const until = () => new Date(Date.now() + lockMs);
  while (!(await take(records, holder, until()))) await new Promise((resolve) => setTimeout(resolve, pollMs));
  const renew = () => records.updateOne({ _id: 'lock', holder }, { $set: { until: until() } });
  const renewal = setInterval(() => {
    renew().catch((error: unknown) => log.warn({ err: error }, 'The lock was not renewed.'));
  }, renewMs);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    await records.updateOne({ _id: 'lock', holder }, { $set: { until: new Date(0) } });
  }
}

async function take(records: mongo.Collection<Entry>, holder: string, until: Date): Promise<boolean> {
  const free = { _id: 'lock', until: { $lt: new Date() } };
  try {
    await records.updateOne(free, { $set: { holder, until } }, { upsert: true });
    return true;
  } catch (error) {
    // Somebody holds it: the filter found nothing and the insert met the entry.
    if ((error as { code?: unknown }).code === duplicateKey) return false;
    throw error;
  }
}

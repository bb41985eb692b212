import type { ConnectionOptions } from 'node:tls';
import type { Connection, ConnectOptions } from 'mongoose';
import { databaseTimeouts } from '../database';
import { isBackingServiceAway } from '../errors';
import { getLogger } from '../logging';
import { tlsFailure } from '../tls/failure';
import type { MongoMigration } from './migration';
import { endWritesWithTheirConnection } from './writes';

const log = getLogger('MongoDB');

export interface MongoSettings {
  /** Names the database too. */
  url: string;
  /** For an encrypted connection: `clientTls('MONGODB', config)`. */
  tls?: ConnectionOptions;
  /** The app that connects. Its collections' names begin with it, so that apps may share one database. */
  app: string;
  migrations: readonly MongoMigration[];
  /** Connections in the pool. */
  poolMax?: number;
}

const retryMs = 1000;
/** How often the driver asks each server, on a connection of its own, whether it is there. */
export const heartbeatMs = 2000;

/**
 * How we talk to MongoDB. A write is acknowledged once a majority of the replica set has it in its journal, and a read
 * shows only what a majority has: no answer of ours can be taken back by the loss of a primary. An address cannot
 * weaken that: one that would is refused at start (`addressOf`), and what is said here goes before it besides. Bounded
 * like PostgreSQL, so that a dead or frozen server fails a request within 2 s; for the same reason the driver repeats
 * nothing by itself: those who call know whether and how long to try again.
 */
export function mongoOptions({ app, poolMax = 10, tls }: MongoSettings): ConnectOptions {
  return {
    appName: `parley-${app}`,
    ...(tls && ({ tls: true, ...tls } as ConnectOptions)),
    maxPoolSize: poolMax,
    serverSelectionTimeoutMS: databaseTimeouts.connectMs,
    waitQueueTimeoutMS: databaseTimeouts.connectMs,
    connectTimeoutMS: databaseTimeouts.statementMs,
    socketTimeoutMS: databaseTimeouts.statementMs,
    heartbeatFrequencyMS: heartbeatMs,
    // Both `j` and `journal`: an address sets one of them, and `j` decides.
    writeConcern: { w: 'majority', j: true, journal: true, wtimeoutMS: databaseTimeouts.lockMs },
    // An address can say the level alone, which goes before `readConcern`, but not before the very same option.
    readConcernLevel: 'majority',
    readPreference: 'primary',
    retryWrites: false,
    retryReads: false,
    // Collections and indexes are made by migrations; a command without a connection fails instead of waiting.
    autoCreate: false,
    autoIndex: false,
    bufferCommands: false,
  };
}

/** Opens a connection, waiting for the server until `deadlineMs`, a time since 1970. Loads Mongoose only when used. */
export async function openMongo(
  url: string,
  options: ConnectOptions,
  deadlineMs = Infinity,
): Promise<Connection> {
  const { createConnection } = await import('mongoose');
  endWritesWithTheirConnection();
  return patiently(() => createConnection(url, options).asPromise(), deadlineMs);
}

/** Tries again each second while the server is away, until `deadlineMs`. */
export async function patiently<T>(attempt: () => Promise<T>, deadlineMs: number): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isBackingServiceAway(error) || Date.now() > deadlineMs) throw error;
      log.info({ err: error, why: tlsFailure(error) }, 'MongoDB is not up yet.');
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

import type { mongo } from 'mongoose';

/** Runs `work` on a short-lived client of its own, which gives up after `timeoutMs`. */
export async function withMongo<T>(
  url: string,
  work: (client: mongo.MongoClient) => Promise<T>,
  timeoutMs = 5_000,
): Promise<T> {
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(url, {
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    socketTimeoutMS: timeoutMs,
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Whether a primary answers to whoever the address names. */
export async function answersMongo(url: string): Promise<boolean> {
  try {
    await withMongo(url, (client) => client.db().command({ listCollections: 1, nameOnly: true }), 2_000);
    return true;
  } catch {
    return false;
  }
}

/** What answers there: MongoDB itself, or FerretDB, which can do less. */
export function kindOfMongo(url: string): Promise<MongoKind> {
  return withMongo(url, async (client) => {
    const { ferretdbVersion } = await client.db().command({ buildInfo: 1 });
    return ferretdbVersion === undefined ? 'mongodb' : 'ferretdb';
  });
}

export type MongoKind = 'mongodb' | 'ferretdb';

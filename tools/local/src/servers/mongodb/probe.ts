import type { mongo } from 'mongoose';
import { type CertificatePaths, tlsOptions } from '../certificates';

/**
 * Runs `work` on a short-lived client of its own, which gives up after `timeoutMs`.
 * @param ours whom to trust and what to show where the address asks for encryption
 */
export async function withMongo<T>(
  url: string,
  work: (client: mongo.MongoClient) => Promise<T>,
  { timeoutMs = 5_000, ours }: { timeoutMs?: number; ours?: Partial<CertificatePaths> } = {},
): Promise<T> {
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(url, {
    serverSelectionTimeoutMS: timeoutMs,
    connectTimeoutMS: timeoutMs,
    socketTimeoutMS: timeoutMs,
    ...(ours && isEncrypted(url) && tlsOptions(ours)),
  });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Whether a primary answers to whoever the address names. */
export async function answersMongo(url: string, ours?: CertificatePaths): Promise<boolean> {
  try {
    const list = { listCollections: 1, nameOnly: true };
    await withMongo(url, (client) => client.db().command(list), { timeoutMs: 2_000, ours });
    return true;
  } catch {
    return false;
  }
}

/** What answers there: MongoDB itself, or FerretDB, which can do less. */
export function kindOfMongo(url: string, ours?: Partial<CertificatePaths>): Promise<MongoKind> {
  const ask = async (client: mongo.MongoClient): Promise<MongoKind> => {
    const { ferretdbVersion } = await client.db().command({ buildInfo: 1 });
    return ferretdbVersion === undefined ? 'mongodb' : 'ferretdb';
  };
  return withMongo(url, ask, { ours });
}

function isEncrypted(url: string): boolean {
  return url.startsWith('mongodb+srv:') || /[?&]tls=true/.test(url);
}

export type MongoKind = 'mongodb' | 'ferretdb';

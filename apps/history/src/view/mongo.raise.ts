import type { mongo } from 'mongoose';
import { Pace } from './mongo.pace';
import { RowsRefused } from './view.store';

/** An entity that goes in where what is stored is older. */
export interface Raise<T extends { _id: string }> {
  /** As it is inserted where nothing is stored. */
  document: T;
  /** Matches the stored document, by its `_id`, while it is older. */
  older: mongo.Filter<T>;
  update: mongo.UpdateFilter<T>;
  /** Nothing is stored yet, as far as known. */
  isNew: boolean;
}

/** Of this process with its server; inserts and updates do not cost the same. */
const insertPace = new Pace();
const updatePace = new Pace();
const duplicateKey = 11_000;
/** Whatever makes the server refuse a document for good: its validator, its size, its shape. */
const refusals = new Set([2, 9, 14, 52, 121, 10_334, 17_280, 17_419]);

/**
 * Brings each entity to at least this state. Idempotent, and right beside others who do the same: an update compares and
 * writes in one step on the server, an insert succeeds for one of them alone.
 *
 * An upsert with the comparison in its filter would not do: of two that find nothing, the newer may lose the insert, and
 * its duplicate key does not say that what is stored is newer.
 *
 * @throws RowsRefused when the server will never take one of them
 */
export async function raise<T extends { _id: string }>(
  collection: mongo.Collection<T>,
  raises: Raise<T>[],
): Promise<void> {
  const known = raises.filter(({ isNew }) => !isNew);
  const met = await insert(
    collection,
    raises.filter(({ isNew }) => isNew),
  );
  const matched = await update(collection, [...known, ...met]);
  if (matched === known.length + met.length || known.length === 0) return;
  // Those that did not match are newer already, or were never created here: the insert tells.
  await update(collection, await insert(collection, known));
}

/** Inserts what is not there. Resolves with those that were. */
async function insert<T extends { _id: string }>(
  collection: mongo.Collection<T>,
  raises: Raise<T>[],
): Promise<Raise<T>[]> {
  const documents = raises.map(({ document }) => document);
  const met = await insertMissing(collection, documents);
  return met.flatMap((index) => raises[index] ?? []);
}

/** Inserts the documents whose `_id` is not there yet. Resolves with the indexes of those that are. */
export async function insertMissing<T extends { _id: unknown }>(
  collection: mongo.Collection<T>,
  documents: T[],
): Promise<number[]> {
  const met: number[] = [];
  await insertPace.inChunks(documents, async (chunk, from) => {
    try {
      await collection.insertMany(chunk as mongo.OptionalUnlessRequiredId<T>[], { ordered: false });
    } catch (error) {
      const errors = writeErrorsOf(error);
      if (!errors?.every(({ code }) => code === duplicateKey)) throw meaningOf(error);
      for (const { index } of errors) met.push(from + index);
    }
  });
  return met;
}

async function update<T extends { _id: string }>(
  collection: mongo.Collection<T>,
  raises: Raise<T>[],
): Promise<number> {
  return writeAll(
    collection,
    raises.map(({ older, update }) => ({ updateOne: { filter: older, update } })),
  );
}

/**
 * Does all of these, in any order.
 *
 * @returns how many matched a document
 * @throws RowsRefused when the server will never take one of them
 */
export async function writeAll<T extends mongo.Document>(
  collection: mongo.Collection<T>,
  operations: mongo.AnyBulkWriteOperation<T>[],
): Promise<number> {
  let matched = 0;
  await updatePace.inChunks(operations, async (chunk) => {
    try {
      const { matchedCount, upsertedCount } = await collection.bulkWrite(chunk, { ordered: false });
      matched += matchedCount + upsertedCount;
    } catch (error) {
      throw meaningOf(error);
    }
  });
  return matched;
}

/** Whether the failure is that another wrote the same `_id` at the same moment: it is there now. */
export function isLostInsert(error: unknown): boolean {
  return writeErrorsOf(error)?.every(({ code }) => code === duplicateKey) ?? false;
}

/** Of the documents; undefined where the failure is another, such as a majority that did not answer. */
function writeErrorsOf(error: unknown): mongo.WriteError[] | undefined {
  if (nameOf(error) !== 'MongoBulkWriteError') return undefined;
  const { result, writeErrors } = error as mongo.MongoBulkWriteError;
  if (result.getWriteConcernError()) return undefined;
  const errors = [writeErrors].flat();
  return errors.length > 0 ? errors : undefined;
}

function meaningOf(error: unknown): unknown {
  if (isTooLarge(error)) return new RowsRefused('the document is too large');
  const refused = writeErrorsOf(error)?.find(({ code }) => refusals.has(Number(code)));
  return refused ? new RowsRefused(`MongoDB code ${refused.code}`) : error;
}

/** The driver's own words for a document beyond 16 MiB, which no server takes. */
function isTooLarge(error: unknown): boolean {
  const name = nameOf(error);
  if (name === 'MongoInvalidArgumentError') return (error as Error).message.includes('maximum size');
  return name === 'RangeError';
}

/** Classes are not compared, for that would load the driver where it is not used. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

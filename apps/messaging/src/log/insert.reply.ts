import { isBackingServiceAway } from '@parley/service';

/** An ordered insert's answer. MongoDB says which unique index a row met; FerretDB does not. */
export interface InsertReply {
  writeErrors?: RowError[];
  writeConcernError?: { code: number; errmsg: string };
}

/** Why a row was refused; `index` is its place in the insert. */
export interface RowError {
  index: number;
  code: number;
  errmsg: string;
  keyPattern?: Record<string, number>;
}

/** A row's error as the driver would throw it. */
class MongoRowError extends Error {
  override readonly name = 'MongoRowError';

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The row that ended the insert, if one did: it is not stored, and none after it.
 *
 * @throws Error when nobody knows what is stored: a majority has not said so, or the row's error says that a server is away.
 *   A mongos tells a shard's failure like that, as one of the first row that it gave to it.
 */
export function refusedRow({ writeErrors, writeConcernError }: InsertReply): RowError | undefined {
  if (writeConcernError) throw new Error(`not acknowledged: ${writeConcernError.errmsg}`);
  const [error] = writeErrors ?? [];
  if (!error) return undefined;
  const failure = new MongoRowError(error.code, error.errmsg);
  if (isBackingServiceAway(failure)) throw failure;
  return error;
}

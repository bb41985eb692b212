import type { mongo } from 'mongoose';

/**
 * Reads each of which sees at least what the ones before it saw, on whichever shard and whichever primary: what a head
 * promises is there when it is looked for. A new primary, or a shard that lags, answers once it has got that far.
 */
export class CausalReads {
  /** Of the cluster, as far as it was seen. FerretDB tells none: it has one server, and no lag. */
  private seen?: mongo.Timestamp;

  constructor(private readonly client: mongo.MongoClient) {}

  async run<T>(read: (session: mongo.ClientSession) => Promise<T>): Promise<T> {
    const session = this.client.startSession({ causalConsistency: true });
    if (this.seen) session.advanceOperationTime(this.seen);
    try {
      return await read(session);
    } finally {
      const { operationTime } = session;
      if (operationTime && (!this.seen || operationTime.greaterThan(this.seen))) this.seen = operationTime;
      await session.endSession();
    }
  }

  /** All documents of a query, read along `hint`: a query without its index fails rather than scans. */
  async find<T extends mongo.Document, Result extends mongo.Document = T>(
    collection: mongo.Collection<T>,
    filter: mongo.Filter<T>,
    options: mongo.FindOptions & { hint: mongo.Hint },
  ): Promise<Result[]> {
    return this.run((session) => collection.find<Result>(filter, { ...options, session }).toArray());
  }
}

/** A condition for one of several values. Of one it is an equality, which is cheaper to plan. */
export function oneOf<T>(values: T[]): T | { $in: T[] } {
  const [only] = values;
  return values.length === 1 && only !== undefined ? only : { $in: values };
}

import type { mongo } from 'mongoose';
import { getLogger } from '../logging';

const log = getLogger('MongoDB');

/** What answers: MongoDB itself, or FerretDB, which speaks its protocol over PostgreSQL with fewer features. */
export type MongoKind = 'mongodb' | 'ferretdb';

export interface CollectionPlan {
  /** A JSON schema that every written document must match. */
  validator?: mongo.Document;
  indexes?: mongo.IndexDescription[];
  /** On a sharded cluster the collection is spread by this key; it begins every unique index, or is one. */
  shardKey?: Record<string, 1 | 'hashed'>;
}

const namespaceExists = 48;
/** What a `mongos` says, without a code, of a split that is there. */
const isSplit = /is a boundary key of existing chunk/;

/** What migrations do to a database. Every step may be repeated. */
export class MongoSchema {
  private constructor(
    readonly db: mongo.Db,
    readonly kind: MongoKind,
    private readonly sharded: boolean,
  ) {}

  static async of(db: mongo.Db): Promise<MongoSchema> {
    const { msg } = await db.command({ hello: 1 });
    return new MongoSchema(db, await mongoKind(db), msg === 'isdbgrid');
  }

  /** Makes the collection what the plan says: validator, indexes, and on a sharded cluster its distribution. */
  async collection(name: string, { validator, indexes = [], shardKey }: CollectionPlan): Promise<void> {
    await this.create(name);
    if (validator) await this.validate(name, validator);
    if (indexes.length > 0) await this.db.collection(name).createIndexes(indexes);
    if (shardKey && this.sharded) await this.shard(name, shardKey);
  }

  /** On a sharded cluster the collection's chunks end at these values of its shard key, so that they can lie apart. */
  async splitAt(name: string, keys: mongo.Document[]): Promise<void> {
    if (!this.sharded) return;
    for (const middle of keys) {
      try {
        await this.admin.command({ split: this.namespaceOf(name), middle });
      } catch (error) {
        if (!isSplit.test(String((error as { message?: unknown }).message))) throw error;
      }
    }
  }

  private async create(name: string): Promise<void> {
    try {
      await this.db.createCollection(name);
    } catch (error) {
      if ((error as { code?: unknown }).code !== namespaceExists) throw error;
    }
  }

  private async validate(name: string, schema: mongo.Document): Promise<void> {
    if (this.kind === 'ferretdb') {
      log.warn({ collection: name }, 'FerretDB does not validate documents.');
      return;
    }
    const validator = { $jsonSchema: schema };
    await this.db.command({ collMod: name, validator, validationLevel: 'strict', validationAction: 'error' });
  }

  private async shard(name: string, key: Record<string, 1 | 'hashed'>): Promise<void> {
    await this.admin.command({ enableSharding: this.db.databaseName });
    await this.admin.command({ shardCollection: this.namespaceOf(name), key });
  }

  private get admin(): mongo.Db {
    return this.db.client.db('admin');
  }

  private namespaceOf(name: string): string {
    return `${this.db.databaseName}.${name}`;
  }
}

export async function mongoKind(db: mongo.Db): Promise<MongoKind> {
  const { ferretdbVersion } = await db.command({ buildInfo: 1 });
  return ferretdbVersion === undefined ? 'mongodb' : 'ferretdb';
}

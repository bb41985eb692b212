import type { MongoSchema } from './schema';

export interface MongoMigration {
  /** Its record, for ever; e.g. `1764000000000-log`. They run in the order of the list. */
  name: string;
  /**
   * MongoDB has no transaction around this: it may be cut off anywhere and is then run again from its start, so every
   * step must do no harm when it was done before. `MongoSchema`'s are such.
   */
  up(schema: MongoSchema): Promise<void>;
}

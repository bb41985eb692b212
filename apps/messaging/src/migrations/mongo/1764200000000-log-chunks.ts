import { PARTITIONS } from '@parley/contracts';
import type { MongoMigration } from '@parley/service';

/** On a sharded cluster each partition of the log is a chunk of its own: see docs/decisions/0010. */
export const logChunks: MongoMigration = {
  name: '1764200000000-log-chunks',
  async up(schema) {
    const bounds = Array.from({ length: PARTITIONS - 1 }, (_, i) => ({ partition: i + 1 }));
    await schema.splitAt('messaging_log', bounds);
  },
};

import { buildIndex, dropIndex } from '@parley/service';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A partition's conversations in the order of their ids: those of a former epoch are dropped so, each met once. */
export class Partitions1764200000000 implements MigrationInterface {
  name = 'Partitions1764200000000';
  /** The feed does not wait for an index to be built. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await buildIndex(runner, 'conversations_partition', 'conversations (partition, id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropIndex(runner, 'conversations_partition');
  }
}

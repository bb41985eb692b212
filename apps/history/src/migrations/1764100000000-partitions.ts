import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A partition's conversations in the order of their ids: those of a former epoch are dropped so, each met once. Takes the place
 * of the index that it extends.
 */
export class Partitions1764100000000 implements MigrationInterface {
  name = 'Partitions1764100000000';
  /** The feed does not wait for an index to be built. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // One that was interrupted leaves its index behind, which nothing uses.
    await runner.query('drop index concurrently if exists conversations_partition_id');
    await runner.query(
      'create index concurrently conversations_partition_id on conversations (partition, id)',
    );
    await runner.query('drop index concurrently if exists conversations_partition');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'create index concurrently if not exists conversations_partition on conversations (partition)',
    );
    await runner.query('drop index concurrently if exists conversations_partition_id');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A partition's conversations in the order of their ids: those of a former epoch are dropped so, each met once. */
export class Partitions1764100000000 implements MigrationInterface {
  name = 'Partitions1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index conversations_partition_id on conversations (partition, id)');
    await runner.query('drop index conversations_partition');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('create index conversations_partition on conversations (partition)');
    await runner.query('drop index conversations_partition_id');
  }
}

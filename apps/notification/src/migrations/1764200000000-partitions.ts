import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A partition's conversations, in steps: those of a former epoch are dropped so. */
export class Partitions1764200000000 implements MigrationInterface {
  name = 'Partitions1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create index conversations_partition on conversations (partition, id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index conversations_partition');
  }
}

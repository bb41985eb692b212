import { PARTITIONS } from '@parley/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where the projection of a log stands that is not in this database, and where a conversation's last message is. */
export class Projections1764100000000 implements MigrationInterface {
  name = 'Projections1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    // A log in MongoDB is projected after the append; one in PostgreSQL with it, and leaves these at 0.
    await runner.query(`
      create table projections (
        partition smallint primary key,
        position bigint not null default 0
      ) with (fillfactor = 50)`);
    await runner.query(
      `insert into projections (partition) select generate_series(0, ${PARTITIONS - 1})::smallint`,
    );
    // Null where the last message is older than this column: it is looked up by its id then.
    await runner.query(`alter table conversations add column last_message_position bigint`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`alter table conversations drop column last_message_position`);
    await runner.query(`drop table projections`);
  }
}

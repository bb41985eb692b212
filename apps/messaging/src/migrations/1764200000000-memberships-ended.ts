import { buildIndex, dropIndex } from '@parley/service';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which deleted conversations still have memberships to end: of a large channel they are too many for one statement. */
export class MembershipsEnded1764200000000 implements MigrationInterface {
  name = 'MembershipsEnded1764200000000';
  /** Else nobody would reach a conversation while the index is built, for the column is made under a lock against all. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `alter table conversations add column if not exists memberships_ended boolean not null default false`,
    );
    // Empty but for moments: whoever reads memberships asks it which of them count no longer.
    await buildIndex(
      runner,
      'conversations_ending',
      'conversations (id) where is_deleted and not memberships_ended',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropIndex(runner, 'conversations_ending');
    await runner.query(`alter table conversations drop column if exists memberships_ended`);
  }
}

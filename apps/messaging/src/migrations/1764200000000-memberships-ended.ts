import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which deleted conversations still have memberships to end: of a large channel they are too many for one statement. */
export class MembershipsEnded1764200000000 implements MigrationInterface {
  name = 'MembershipsEnded1764200000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `alter table conversations add column memberships_ended boolean not null default false`,
    );
    // Empty but for moments: whoever reads memberships asks it which of them count no longer.
    await runner.query(
      `create index conversations_ending on conversations (id) where is_deleted and not memberships_ended`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop index conversations_ending`);
    await runner.query(`alter table conversations drop column memberships_ended`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets a search page through display names, which many may share. Whoever looks for display names alone, as the release before
 * does, is served by it as well, so it takes the place of the index that it extends.
 */
export class DisplayNames1764300000000 implements MigrationInterface {
  name = 'DisplayNames1764300000000';
  /** Nobody who registers waits for an index to be built. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // One that was interrupted leaves its index behind, which nothing uses.
    await runner.query('drop index concurrently if exists auth.users_display_name_id');
    await runner.query(
      'create index concurrently users_display_name_id on auth.users (display_name_key, id)',
    );
    await runner.query('drop index concurrently if exists auth.users_display_name');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'create index concurrently if not exists users_display_name on auth.users (display_name_key)',
    );
    await runner.query('drop index concurrently if exists auth.users_display_name_id');
  }
}

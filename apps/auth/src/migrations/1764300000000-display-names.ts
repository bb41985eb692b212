import { buildIndex, dropIndex } from '@parley/service';
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
    await buildIndex(runner, 'auth.users_display_name_id', 'auth.users (display_name_key, id)');
    await dropIndex(runner, 'auth.users_display_name');
  }

  async down(runner: QueryRunner): Promise<void> {
    await buildIndex(runner, 'auth.users_display_name', 'auth.users (display_name_key)');
    await dropIndex(runner, 'auth.users_display_name_id');
  }
}

import { buildIndex, dropIndex } from '@parley/service';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const isListed = `visibility = 'public' and not is_deleted and not archived`;

/** What answers a search for public channels by a part of the title; the list of them without those that are archived. */
export class ChannelSearch1764300000000 implements MigrationInterface {
  name = 'ChannelSearch1764300000000';
  /** Indexes are made beside the writing, which no transaction can. What was cut off is begun anew. */
  transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // All parts of one to three characters: whoever searches in Chinese has no more than that.
    await runner.query(`
      create or replace function title_grams(title text) returns text[]
      language sql immutable strict parallel safe as $$
        select array_agg(distinct substr(folded, at, size))
        from (select lower(title) as folded) as one, generate_series(1, 3) as size,
          generate_series(1, length(folded) - size + 1) as at
      $$`);
    // Channels come seldom; what waits to be sorted in would be read by every search.
    await buildIndex(
      runner,
      'conversations_titles',
      `conversations using gin (title_grams(title)) with (fastupdate = off) where ${isListed}`,
    );
    await buildIndex(runner, 'conversations_listed', `conversations (lower(title), id) where ${isListed}`);
    await dropIndex(runner, 'conversations_public');
  }

  async down(runner: QueryRunner): Promise<void> {
    await buildIndex(
      runner,
      'conversations_public',
      `conversations (lower(title), id) where visibility = 'public' and not is_deleted`,
    );
    await dropIndex(runner, 'conversations_listed');
    await dropIndex(runner, 'conversations_titles');
    await runner.query('drop function if exists title_grams');
  }
}

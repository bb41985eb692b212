import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What it takes to replay a parked event by hand, while the feed runs. */
export class ParkedReplay1764100000000 implements MigrationInterface {
  name = 'ParkedReplay1764100000000';

  async up(runner: QueryRunner): Promise<void> {
    // Null where a row is so broken that it does not say, and for what an earlier release parked.
    await runner.query(`
      alter table parked_events
        add column kind text,
        add column conversation_id text,
        add column attempts integer not null default 0,
        add column tried_at timestamptz`);
    // Moved when memberships of a partition are changed beside the feed, which then forgets what it remembers of them.
    await runner.query('alter table feed_positions add column revision bigint not null default 0');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table parked_events drop column kind, drop column conversation_id, drop column attempts, drop column tried_at',
    );
    await runner.query('alter table feed_positions drop column revision');
  }
}

import { PARTITIONS } from '@parley/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The in-app list, and the copies of memberships and names that it takes to write it. */
export class Notifications1764000000000 implements MigrationInterface {
  name = 'Notifications1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    // Half-empty pages let a position, which each batch writes, be replaced in place.
    await runner.query(`
      create table feed_positions (
        partition smallint primary key,
        epoch text not null default '',
        position bigint not null default 0
      ) with (fillfactor = 20)`);
    await runner.query(
      `insert into feed_positions (partition) select generate_series(0, ${PARTITIONS - 1})::smallint`,
    );
    await runner.query(`
      create table conversations (
        id uuid primary key,
        partition smallint not null,
        type text not null,
        member_count integer not null
      )`);
    await runner.query(`
      create table members (
        conversation_id uuid not null,
        user_id uuid not null,
        primary key (conversation_id, user_id)
      )`);
    // Time and number stand in the key, since they follow from the message as the id does: one index finds repeats
    // and pages alike.
    await runner.query(`
      create table notifications (
        user_id uuid not null,
        created_at timestamptz(3) not null,
        id uuid not null,
        type text not null,
        conversation_id uuid not null,
        message_id uuid not null,
        number bigint not null,
        sender_id uuid,
        read_at timestamptz(3),
        primary key (user_id, created_at, number, id)
      ) with (fillfactor = 85)`);
    await runner.query(`
      create table profiles (
        user_id uuid primary key,
        username text not null,
        display_name text not null,
        sequence bigint not null
      )`);
    // What could not be applied. The event itself stands in the log, at this position.
    await runner.query(`
      create table parked_events (
        partition smallint not null,
        position bigint not null,
        epoch text not null,
        reason text not null,
        parked_at timestamptz not null default now(),
        primary key (partition, position, epoch)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'drop table parked_events, profiles, notifications, members, conversations, feed_positions',
    );
  }
}

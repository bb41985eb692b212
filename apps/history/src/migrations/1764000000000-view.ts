import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The message view. Statements name no schema: the connection's search path is the service's own. */
export class View1764000000000 implements MigrationInterface {
  name = 'View1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table applied (
        partition smallint primary key,
        epoch text not null,
        position bigint not null
      ) with (fillfactor = 50)`);

    // Room on each page lets a new head be written in place, without touching an index.
    await runner.query(`
      create table conversations (
        id uuid primary key,
        partition smallint not null,
        head bigint not null,
        message_count bigint not null,
        shared json,
        shared_version bigint not null,
        shared_position bigint not null,
        deleted boolean not null,
        erased boolean not null default false
      ) with (fillfactor = 70)`);
    await runner.query(
      `create index conversations_to_erase on conversations (id) where deleted and not erased`,
    );
    await runner.query(`create index conversations_partition on conversations (partition)`);

    await runner.query(`
      create table messages (
        conversation_id uuid not null,
        number bigint not null,
        version bigint not null,
        created_at timestamptz not null,
        id uuid not null,
        thread_id uuid,
        pinned boolean not null,
        body json not null,
        primary key (conversation_id, number)
      )`);
    await runner.query(`create index messages_version on messages (conversation_id, version)`);
    await runner.query(`create index messages_id on messages (id)`);
    await runner.query(
      `create index messages_thread on messages (thread_id, number) where thread_id is not null`,
    );
    await runner.query(`create index messages_pinned on messages (conversation_id, number) where pinned`);

    await runner.query(`
      create table members (
        conversation_id uuid not null,
        user_id uuid not null,
        role text not null,
        joined_at timestamptz not null,
        version bigint,
        position bigint not null,
        removed boolean not null,
        primary key (conversation_id, user_id)
      )`);
    // Plain joins and leaves of channels have no version, so a large channel costs this index nothing.
    await runner.query(
      `create index members_version on members (conversation_id, version) where version is not null`,
    );

    await runner.query(`
      create table parked (
        partition smallint not null,
        position bigint not null,
        conversation_id text,
        reason text not null,
        event json not null,
        parked_at timestamptz not null default now(),
        primary key (partition, position)
      )`);
    await runner.query(`create index parked_conversation on parked (conversation_id)`);

    // Ends a statement, and so all its writes, whose rows do not follow on what is stored.
    await runner.query(`
      create function require_moved(moved bigint, wanted integer) returns boolean language plpgsql as $$
      begin
        if moved <> wanted then
          raise exception 'The rows do not follow on the stored positions.' using errcode = 'PV001';
        end if;
        return true;
      end $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop function require_moved');
    await runner.query('drop table parked, members, messages, conversations, applied');
  }
}

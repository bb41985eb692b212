import { PARTITIONS } from '@parley/contracts';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The conversation log, its projection, the leases, and what belongs to users alone. */
export class Log1764000000000 implements MigrationInterface {
  name = 'Log1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table deployment (
        singleton boolean primary key default true check (singleton),
        epoch text not null,
        partitions smallint not null,
        -- Keys the hashes of requests, so that they tell nothing about bodies once these are erased.
        request_key bytea not null
      )`);
    await runner.query(
      `insert into deployment (epoch, partitions, request_key)
       select gen_random_uuid()::text, ${PARTITIONS}, sha256((gen_random_uuid()::text || gen_random_uuid())::bytea)`,
    );
    await runner.query(`
      create table leases (
        partition smallint primary key,
        term bigint not null default 0,
        owner text,
        expires_at timestamptz not null default '-infinity'
      ) with (fillfactor = 50)`);
    await runner.query(
      `insert into leases (partition) select generate_series(0, ${PARTITIONS - 1})::smallint`,
    );
    await runner.query(`
      create table log (
        partition smallint not null,
        position bigint not null,
        term bigint not null,
        conversation_id uuid not null,
        version bigint,
        number bigint,
        message_id uuid,
        sender_id uuid,
        client_message_id text,
        request_hash text,
        at timestamptz not null,
        event json not null,
        reactors json,
        constraint log_position primary key (partition, position)
      )`);
    await runner.query(
      `create unique index log_version on log (conversation_id, version) where version is not null`,
    );
    await runner.query(
      `create unique index log_client_id on log (conversation_id, sender_id, client_message_id)
       where client_message_id is not null`,
    );
    await runner.query(`create index log_message on log (message_id, version) where message_id is not null`);
    // Room on each page lets counters be written in place, without touching an index.
    await runner.query(`
      create table conversations (
        id uuid primary key,
        partition smallint not null,
        type text not null,
        title text,
        topic text,
        visibility text not null,
        archived boolean not null,
        is_deleted boolean not null,
        created_by uuid,
        created_at timestamptz not null,
        version bigint not null,
        message_count bigint not null,
        member_count integer not null,
        last_activity_at timestamptz not null,
        last_message_id uuid,
        request_hash text not null
      ) with (fillfactor = 60)`);
    await runner.query(
      `create index conversations_public on conversations (lower(title), id)
       where visibility = 'public' and not is_deleted`,
    );
    await runner.query(`
      create table memberships (
        user_id uuid not null,
        conversation_id uuid not null,
        role text,
        joined_at timestamptz not null,
        read_base bigint not null,
        stamp xid8 not null default pg_current_xact_id(),
        primary key (user_id, conversation_id)
      )`);
    await runner.query(
      `create index memberships_conversation on memberships (conversation_id, user_id) where role is not null`,
    );
    await runner.query(`
      create table marks (
        user_id uuid not null,
        conversation_id uuid not null,
        read_number bigint not null default 0,
        unread_from bigint,
        stamp xid8 not null default pg_current_xact_id(),
        primary key (user_id, conversation_id)
      ) with (fillfactor = 60)`);
    await runner.query(`
      create table mentions (
        user_id uuid not null,
        conversation_id uuid not null,
        number bigint not null,
        primary key (user_id, conversation_id, number)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table mentions, marks, memberships, conversations, log, leases, deployment`);
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateAccounts1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The *_key columns are folded by us, not by the database, whose folding depends on its locale. Collation "C" lets
    // the indexes serve searches by prefix.
    await runner.query(`
      create table auth.users (
        id uuid primary key,
        email text not null,
        email_key text collate "C" not null,
        username text not null,
        username_key text collate "C" not null,
        display_name text not null,
        display_name_key text collate "C" not null,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint users_email unique (email_key),
        constraint users_username unique (username_key)
      )`);
    await runner.query('create index users_display_name on auth.users (display_name_key)');
    await runner.query(`
      create table auth.credentials (
        user_id uuid primary key references auth.users on delete cascade,
        password_hash text not null,
        changed_at timestamptz(3) not null default now()
      )`);
    await runner.query(`
      create table auth.sessions (
        id uuid primary key,
        user_id uuid not null references auth.users on delete cascade,
        device text,
        created_at timestamptz(3) not null default now(),
        last_used_at timestamptz(3) not null default now(),
        expires_at timestamptz(3) not null,
        revoked_at timestamptz(3),
        generation integer not null,
        current_hash bytea not null,
        previous_hash bytea,
        successor_nonce bytea,
        tag_key bytea not null
      )`);
    await runner.query('create index sessions_live on auth.sessions (user_id, id) where revoked_at is null');
    await runner.query('create index sessions_end on auth.sessions ((least(expires_at, revoked_at)))');
    await runner.query(`
      create table auth.outbox (
        sequence bigint generated always as identity primary key,
        event jsonb not null,
        traceparent text not null,
        created_at timestamptz(3) not null default now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table auth.outbox, auth.sessions, auth.credentials, auth.users');
  }
}

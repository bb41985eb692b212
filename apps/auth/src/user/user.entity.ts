import type { Me, User } from '@parley/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A person. The `*Key` columns are what is compared: folded, see `user.rules.ts`. */
@Entity({ name: 'users' })
export class UserRow {
  @PrimaryColumn('uuid')
  id: string;

  @Column('text')
  email: string;

  @Column('text', { name: 'email_key' })
  emailKey: string;

  @Column('text')
  username: string;

  @Column('text', { name: 'username_key' })
  usernameKey: string;

  @Column('text', { name: 'display_name' })
  displayName: string;

  @Column('text', { name: 'display_name_key' })
  displayNameKey: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;
}

/** Apart from the profile, so that no read of profiles can carry a hash along. */
@Entity({ name: 'credentials' })
export class CredentialRow {
  @PrimaryColumn('uuid', { name: 'user_id' })
  userId: string;

  @Column('text', { name: 'password_hash' })
  passwordHash: string;

  @Column('timestamptz', { name: 'changed_at' })
  changedAt: Date;
}

export function toUser(row: UserRow): User {
  return { id: row.id, username: row.username, displayName: row.displayName };
}

export function toMe(row: UserRow): Me {
  return { ...toUser(row), email: row.email, createdAt: row.createdAt.toISOString() };
}

import type { Session } from '@parley/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One device's login. It stays for a while after its end, so that ending it twice answers alike. */
@Entity({ name: 'sessions' })
export class SessionRow {
  @PrimaryColumn('uuid')
  id: string;

  @Column('uuid', { name: 'user_id' })
  userId: string;

  @Column('text', { nullable: true })
  device: string | null;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;

  @Column('timestamptz', { name: 'last_used_at' })
  lastUsedAt: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;

  /** Of the current refresh token: 0 at login, one more with each rotation. */
  @Column('integer')
  generation: number;

  /** SHA-256 of the current refresh token's secret. */
  @Column('bytea', { name: 'current_hash' })
  currentHash: Buffer;

  /** The same of the one before, which still answers until the current one is used. */
  @Column('bytea', { name: 'previous_hash', nullable: true })
  previousHash: Buffer | null;

  /** With the secret of the previous token, gives that of the current one; see `refresh-token.rules.ts`. */
  @Column('bytea', { name: 'successor_nonce', nullable: true })
  successorNonce: Buffer | null;

  /** Tells tokens that this session once gave out from made-up ones. */
  @Column('bytea', { name: 'tag_key' })
  tagKey: Buffer;
}

export function toSession(row: SessionRow, currentId: string): Session {
  return {
    id: row.id,
    device: row.device,
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt.toISOString(),
    current: row.id === currentId,
  };
}

import type { AccountEvent } from '@parley/contracts';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An event that is committed and not yet known to be with the broker. */
@Entity({ name: 'outbox' })
export class OutboxEntry {
  /** Assigned by the database; text, as the driver gives every bigint. */
  @PrimaryColumn('bigint')
  sequence: string;

  @Column('jsonb')
  event: NewAccountEvent;

  /** The trace of the request that caused it. */
  @Column('text')
  traceparent: string;

  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;
}

/** An event before it has its place in the order. */
export type NewAccountEvent = DistributiveOmit<AccountEvent, 'sequence'>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

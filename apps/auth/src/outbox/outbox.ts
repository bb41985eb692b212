import { Inject, Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { User } from '@parley/contracts';
import { currentContext } from '@parley/service';
import type { DataSource, EntityManager } from 'typeorm';
import type { NewAccountEvent } from './outbox.entity';
import { OutboxPublisher } from './outbox.publisher';

export type Emit = (event: NewAccountEvent) => void;

/** Changes of accounts together with the events that tell of them: both are committed, or neither. */
@Injectable()
export class Outbox {
  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(OutboxPublisher) private readonly publisher: OutboxPublisher,
  ) {}

  /**
   * Runs `work` in one transaction and publishes what it emitted right after the commit.
   *
   * @param userId whose events these are. That user's row is locked first, so that events of one user take their
   *   sequence in the order of their commits, and transactions of one user cannot deadlock. Null for a user who is being
   *   created.
   */
  async transaction<T>(
    userId: string | null,
    work: (manager: EntityManager, emit: Emit) => Promise<T>,
  ): Promise<T> {
    const events: NewAccountEvent[] = [];
    const result = await this.dataSource.transaction(async (manager) => {
      if (userId) await manager.query('select 1 from auth.users where id = $1 for no key update', [userId]);
      const value = await work(manager, (event) => events.push(event));
      if (events.length > 0) {
        await manager.query(
          'insert into auth.outbox (event, traceparent) select value, $2 from jsonb_array_elements($1::jsonb)',
          [JSON.stringify(events), currentContext().traceparent],
        );
      }
      return value;
    });
    if (events.length > 0) this.publisher.wake();
    return result;
  }
}

export function userChanged({ id, username, displayName }: User): NewAccountEvent {
  return { kind: 'user.changed', at: new Date().toISOString(), user: { id, username, displayName } };
}

export function sessionRevoked(userId: string, sessionId: string): NewAccountEvent {
  return { kind: 'session.revoked', at: new Date().toISOString(), userId, sessionId };
}

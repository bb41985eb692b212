import {
  Inject,
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Broker } from '@parley/broker';
import { envelopes, exchanges, unavailable, type AccountEvent } from '@parley/contracts';
import { COUNTED_MAX, counter, gauge, getLogger, histogram, pgPool, toParleyError } from '@parley/service';
import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { NewAccountEvent } from './outbox.entity';

interface Row {
  sequence: string;
  event: NewAccountEvent;
  traceparent: string;
  created_at: Date;
}

const batchMax = 100;
const pollMs = 1000;
/** Below the idle-transaction timeout: the batch's transaction is open while the broker confirms. */
const confirmTimeoutMs = 800;
/** Any fixed number that no other lock of this database uses. */
const lockKey = 7_001_001;

const published = counter('auth_outbox_published_total', 'Events that the broker confirmed.', ['kind']);
const lag = histogram('auth_outbox_lag_seconds', 'From the commit of an event to its confirmation.');
const failures = counter(
  'auth_outbox_failures_total',
  'Batches that could not be published and will be again.',
);

/**
 * Brings committed events to the broker: at least once, in the order of their sequence, confirmed before they are
 * forgotten. It works right after each commit; a poll finds what a crash or an outage left behind. Of all instances one
 * works at a time, under a lock that the database takes back from a frozen one.
 */
@Injectable()
export class OutboxPublisher implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = getLogger('OutboxPublisher');
  private working?: Promise<void>;
  private again = false;
  private failing = false;
  private timer?: NodeJS.Timeout;
  private readonly onConnected = () => this.wake();

  constructor(
    @InjectDataSource() private readonly dataSource: DataSource,
    @Inject(Broker) private readonly broker: Broker,
  ) {}

  onApplicationBootstrap(): void {
    const waiting = `Events that are committed and not confirmed, ${COUNTED_MAX} at most.`;
    gauge('auth_outbox_pending', waiting, [], async function () {
      this.set(await pending());
    });
    const pending = async () => {
      const { rows } = await pgPool(this.dataSource).query<{ n: string }>(
        `select count(*) n from (select from auth.outbox limit ${COUNTED_MAX}) counted`,
      );
      return Number(rows[0]?.n ?? 0);
    };
    const oldest =
      'How long the oldest event that is not confirmed has been committed; 0 where there is none.';
    gauge('auth_outbox_oldest_seconds', oldest, [], async function () {
      this.set(await age());
    });
    // By the database's clock alone, and of one row, however many wait.
    const age = async () => {
      const { rows } = await pgPool(this.dataSource).query<{ age: number }>(
        'select extract(epoch from now() - created_at)::float8 age from auth.outbox order by sequence limit 1',
      );
      return Math.max(0, rows[0]?.age ?? 0);
    };
    this.broker.on('connected', this.onConnected);
    this.timer = setInterval(() => this.wake(), pollMs);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.broker.off('connected', this.onConnected);
    this.wake();
    await this.working;
  }

  /** Something may be there to publish. Cheap, and never fails: what cannot go now goes at the next poll. */
  wake(): void {
    this.again = true;
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  private async work(): Promise<void> {
    while (this.again) {
      this.again = false;
      if (!this.broker.connected) return;
      try {
        // A full batch may have left more behind.
        if ((await this.publishBatch()) === batchMax) this.again = true;
        if (this.failing) this.log.info('Account events are published again.');
        this.failing = false;
      } catch (error) {
        failures.inc();
        const level = toParleyError(error).code === 'unavailable' ? 'warn' : 'error';
        // One line for each outage, not one for each poll.
        if (!this.failing) this.log[level]({ err: error }, 'Account events cannot be published now.');
        this.failing = true;
        return;
      }
    }
  }

  /** @returns how many events were published */
  private async publishBatch(): Promise<number> {
    const client = await pgPool(this.dataSource).connect();
    let broken = true;
    try {
      // In the order of the index, which knows what is gone: the pages of the table that nobody has cleared yet hold far more.
      const { rowCount } = await client.query('select 1 from auth.outbox order by sequence limit 1');
      const count = rowCount ? await this.publishLocked(client) : 0;
      broken = false;
      return count;
    } finally {
      // A connection that failed in the middle of its transaction is not given back: closing it frees the lock.
      client.release(broken);
    }
  }

  private async publishLocked(client: PoolClient): Promise<number> {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [lockKey]);
    const { rows } = await client.query<Row>(
      'select sequence, event, traceparent, created_at from auth.outbox order by sequence limit $1',
      [batchMax],
    );
    await this.publish(rows);
    await client.query('delete from auth.outbox where sequence = any($1::bigint[])', [
      rows.map((row) => row.sequence),
    ]);
    await client.query('commit');
    return rows.length;
  }

  private async publish(rows: Row[]): Promise<void> {
    const confirmed = Promise.all(
      rows.map(async (row) => {
        const sequence = Number(row.sequence);
        const event = { v: envelopes.accounts.written, ...row.event, sequence } as AccountEvent;
        await this.broker.publishConfirmed(exchanges.accounts.name, event.kind, event, row.traceparent);
        published.inc({ kind: event.kind });
        lag.observe((Date.now() - row.created_at.getTime()) / 1000);
      }),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(unavailable('The broker did not confirm.')), confirmTimeoutMs);
    });
    // What is confirmed or refused after the time was up changes nothing: the batch is published again.
    confirmed.catch(() => undefined);
    await Promise.race([confirmed, late]).finally(() => clearTimeout(timer));
  }
}

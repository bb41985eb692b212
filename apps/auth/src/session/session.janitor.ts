import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { getLogger, pgPool } from '@parley/service';
import type { DataSource } from 'typeorm';

const intervalMs = 600_000;
const batchMax = 1000;
/** Between two batches, so that what people wait for has the database, too. */
const pauseMs = 100;
/** Longer than any access token lives, and than anybody looks at a session that is gone. */
const keptDays = 7;

/** Forgets sessions some days after their end, so that the table stays as large as what is in use. */
@Injectable()
export class SessionJanitor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = getLogger('SessionJanitor');
  private readonly stopping = new AbortController();
  private timer?: NodeJS.Timeout;
  private sweeping?: Promise<number>;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweep().catch((error: unknown) =>
        this.log.warn({ err: error }, 'Old sessions could not be removed.'),
      );
    }, intervalMs);
  }

  /** Ends with the batch that is under way. */
  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    this.stopping.abort();
    await this.sweeping?.catch(() => undefined);
  }

  /** Removes batch by batch whatever is due. Who asks while that goes on waits for the same. @returns how many were removed */
  sweep(): Promise<number> {
    this.sweeping ??= this.removeAll().finally(() => {
      this.sweeping = undefined;
    });
    return this.sweeping;
  }

  private async removeAll(): Promise<number> {
    const { signal } = this.stopping;
    let removed = 0;
    while (!signal.aborted) {
      const count = await this.removeBatch();
      removed += count;
      // A full batch may have left more behind.
      if (count < batchMax) break;
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
    return removed;
  }

  /** By keys alone: in the order of the index that knows who is due, else a lone one is looked for among all that are live. */
  private async removeBatch(): Promise<number> {
    const { rowCount } = await pgPool(this.dataSource).query(
      `delete from auth.sessions where id = any(array(
         select id from auth.sessions
         where least(expires_at, revoked_at) < now() - make_interval(days => $1)
         order by least(expires_at, revoked_at)
         limit $2 for update skip locked))`,
      [keptDays, batchMax],
    );
    return rowCount ?? 0;
  }
}

import { Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { getLogger, pgPool } from '@parley/service';
import type { DataSource } from 'typeorm';

const intervalMs = 600_000;
const batchMax = 1000;
/** Longer than any access token lives, and than anybody looks at a session that is gone. */
const keptDays = 7;

/** Forgets sessions some days after their end, so that the table stays as large as what is in use. */
@Injectable()
export class SessionJanitor implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = getLogger('SessionJanitor');
  private timer?: NodeJS.Timeout;

  constructor(@InjectDataSource() private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.sweep().catch((error: unknown) =>
        this.log.warn({ err: error }, 'Old sessions could not be removed.'),
      );
    }, intervalMs);
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** @returns how many were removed, at most one batch */
  async sweep(): Promise<number> {
    const { rowCount } = await pgPool(this.dataSource).query(
      `delete from auth.sessions where id in (
         select id from auth.sessions
         where least(expires_at, revoked_at) < now() - make_interval(days => $1)
         limit $2 for update skip locked)`,
      [keptDays, batchMax],
    );
    return rowCount ?? 0;
  }
}

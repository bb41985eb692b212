import { counter } from '@parley/service';
import type { Pool } from 'pg';

const ended = counter(
  'parley_memberships_ended_total',
  'Memberships of deleted conversations that were ended beside the log.',
);
const failures = counter(
  'parley_memberships_ending_failures_total',
  'Times that memberships of deleted conversations could not be ended, and stayed for now.',
);

/** Well within a statement's time: some 40 µs each on a slow machine. */
const MEMBERSHIPS_A_STATEMENT = 1000;
const CONVERSATIONS_A_STATEMENT = 100;
/** For what an instance left that ended amid it. */
const LOOK_EVERY_MS = 30_000;

/**
 * Ends the memberships of deleted conversations, beside the log: a channel has up to 100,000, which no append can wait for.
 * Readers take a deleted conversation for one without members, so this only lets accounts hear of it that were away
 * (`stamp`), and makes room. Several instances may do it at once.
 */
export class MembershipEnder {
  private ending?: Promise<void>;
  private isAskedAgain = false;
  private isStopped = false;
  private timer?: NodeJS.Timeout;

  constructor(
    private readonly pool: Pool,
    private readonly warn: (details: object, message: string) => void,
  ) {}

  start(): void {
    this.timer = setInterval(() => this.end(), LOOK_EVERY_MS).unref();
    this.end();
  }

  /** Begins with what there is to end. What fails is taken up by the next call. */
  end(): void {
    if (this.isStopped) return;
    this.isAskedAgain = true;
    this.ending ??= this.endAll()
      .catch((error: unknown) => {
        failures.inc();
        this.warn({ err: error }, 'Memberships of deleted conversations stay for now.');
      })
      .finally(() => (this.ending = undefined));
  }

  /** Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.timer);
    await this.ending;
  }

  private async endAll(): Promise<void> {
    for (let isLeft = true; !this.isStopped && (isLeft || this.isAskedAgain);) {
      this.isAskedAgain = false;
      isLeft = await this.endSome();
    }
  }

  /** Whether there was anything to end. */
  private async endSome(): Promise<boolean> {
    const { rows } = await this.pool.query<{ id: string }>({
      name: 'memberships-ending',
      text: `select id from conversations where is_deleted and not memberships_ended
             order by id limit ${CONVERSATIONS_A_STATEMENT}`,
    });
    if (rows.length === 0) return false;
    const values = [rows.map(({ id }) => id)];
    // The role is asked for twice: of two instances the second waits for the first, and then finds nothing to end.
    const { rowCount } = await this.pool.query({
      name: 'memberships-end',
      text: `update memberships set role = null, stamp = pg_current_xact_id()
             where role is not null and (user_id, conversation_id) in (
               select part.* from unnest($1::uuid[]) as ended (id)
               cross join lateral (
                 select user_id, conversation_id from memberships
                 where conversation_id = ended.id and role is not null
                 order by user_id limit ${MEMBERSHIPS_A_STATEMENT}
               ) as part limit ${MEMBERSHIPS_A_STATEMENT})`,
      values,
    });
    ended.inc(rowCount ?? 0);
    if (rowCount === MEMBERSHIPS_A_STATEMENT) return true;
    await this.pool.query({
      name: 'memberships-ended',
      text: `update conversations c set memberships_ended = true
             where c.id = any($1::uuid[]) and not exists (
               select from memberships m where m.conversation_id = c.id and m.role is not null)`,
      values,
    });
    return true;
  }
}

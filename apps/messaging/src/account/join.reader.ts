import type { QueryReply } from '@parley/contracts';
import { limits, PARTITIONS } from '@parley/contracts';
import type { Pool } from 'pg';
import { Deployment } from '../log/deployment';
import type { LogStore } from '../log/log.store';
import type { AccountReader } from './account.reader';

type JoinReply = QueryReply<'messaging.join'>;

const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, partition) => partition);
/** Positions that are a little old are safe: a node applies again what it had applied already. */
const POSITIONS_AGE_MS = 200;

/** What a joining socket needs: its conversations, its rooms, and which log positions these reflect. */
export class JoinReader {
  private positions?: { at: number; value: Promise<number[]> };

  constructor(
    private readonly pool: Pool,
    private readonly store: LogStore,
    private readonly accounts: AccountReader,
    private readonly deployment: Deployment,
  ) {}

  async join(userId: string): Promise<JoinReply> {
    // Positions and cursor first: the memberships read afterwards reflect at least these.
    const [positions, accountCursor] = await Promise.all([this.recentPositions(), this.accounts.cursor()]);
    const [page, memberOf] = await Promise.all([
      this.accounts.list(userId, limits.readyConversationsMax, undefined),
      this.memberOf(userId),
    ]);
    return {
      epoch: this.deployment.epoch,
      accountCursor,
      conversations: page.items,
      nextCursor: page.nextCursor,
      memberOf,
      positions,
    };
  }

  /** Every conversation that the user is a member of. */
  async memberOf(userId: string): Promise<string[]> {
    const { rows } = await this.pool.query<{ conversation_id: string }>({
      name: 'join-member-of',
      text: 'select conversation_id from memberships where user_id = $1 and role is not null',
      values: [userId],
    });
    return rows.map((row) => row.conversation_id);
  }

  /** Of these conversations, those that the user is a member of. */
  async membership(userId: string, conversationIds: string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ conversation_id: string }>({
      name: 'join-membership',
      text: `select conversation_id from memberships
             where user_id = $1 and conversation_id = any($2::uuid[]) and role is not null`,
      values: [userId, conversationIds],
    });
    return rows.map((row) => row.conversation_id);
  }

  private recentPositions(): Promise<number[]> {
    const now = performance.now();
    if (!this.positions || now - this.positions.at > POSITIONS_AGE_MS) {
      const value = this.store
        .positions(ALL_PARTITIONS)
        .then((positions) => ALL_PARTITIONS.map((partition) => positions.get(partition) ?? 0));
      this.positions = { at: now, value };
      value.catch(() => (this.positions = undefined));
    }
    return this.positions.value;
  }
}

import type { QueryReply } from '@parley/contracts';
import { limits, PARTITIONS } from '@parley/contracts';
import { isCancelled, TurnBatch } from '@parley/service';
import type { Pool } from 'pg';
import { Deployment } from '../log/deployment';
import type { LogReader } from '../log/log.store';
import type { AccountReader, ConversationPage } from './account.reader';

type JoinReply = QueryReply<'messaging.join'>;

const ALL_PARTITIONS = Array.from({ length: PARTITIONS }, (_, partition) => partition);
/**
 * Positions and cursors that are a little old are safe: a node applies again what it had applied already, a client reads
 * again what it has. So one reading serves a storm.
 */
const MOMENT_AGE_MS = 200;

/** Joins that one statement reads at most. */
const BATCH_MAX = 32;

interface Moment {
  positions: number[];
  accountCursor: string;
}

/** That of a deleted conversation is ended some time after it; few are (`conversations_ending`). */
const isNotEnding = `not exists (
  select from conversations c where c.id = m.conversation_id and c.is_deleted and not c.memberships_ended)`;

const NO_PAGE: ConversationPage = { items: [], nextCursor: null };

interface Asked {
  userId: string;
  answer: (reply: JoinReply) => void;
  fail: (error: unknown) => void;
}

/** What a joining socket needs: its conversations, its rooms, and which log positions these reflect. */
export class JoinReader {
  private recent?: { at: number; value: Promise<Moment> };
  private readonly asked = new TurnBatch<Asked>(BATCH_MAX, (batch) => this.readBatch(batch));

  constructor(
    private readonly pool: Pool,
    private readonly log: LogReader,
    private readonly accounts: AccountReader,
    private readonly deployment: Deployment,
  ) {}

  /** Those who are asked for in one turn, in a storm a whole envelope, are read together. */
  join(userId: string): Promise<JoinReply> {
    return new Promise((answer, fail) => this.asked.add({ userId, answer, fail }));
  }

  private async readBatch(batch: Asked[]): Promise<void> {
    try {
      // Positions and cursor first: the memberships read afterwards reflect at least these.
      const moment = await this.moment();
      const userIds = [...new Set(batch.map(({ userId }) => userId))];
      const pages = await this.accounts.firstPages(userIds, limits.readyConversationsMax);
      for (const { userId, answer, fail } of batch) this.reply(userId, moment, pages).then(answer, fail);
    } catch (error) {
      if (isCancelled(error) && batch.length > 1) this.readHalves(batch);
      else for (const { fail } of batch) fail(error);
    }
  }

  /** Somebody among them takes longer than a statement may, with whom the others are not to wait. */
  private readHalves(batch: Asked[]): void {
    const half = Math.ceil(batch.length / 2);
    for (const part of [batch.slice(0, half), batch.slice(half)]) void this.readBatch(part);
  }

  private async reply(
    userId: string,
    { positions, accountCursor }: Moment,
    pages: ReadonlyMap<string, ConversationPage>,
  ): Promise<JoinReply> {
    const { items, nextCursor } = pages.get(userId) ?? NO_PAGE;
    // Most users' first page is all that they are in.
    const memberOf = nextCursor === null ? items.map(({ id }) => id) : await this.memberOf(userId);
    return {
      epoch: this.deployment.epoch,
      accountCursor,
      conversations: items,
      nextCursor,
      memberOf,
      positions,
    };
  }

  /** Every conversation that the user is a member of. */
  async memberOf(userId: string): Promise<string[]> {
    const { rows } = await this.pool.query<{ conversation_id: string }>({
      name: 'join-member-of',
      text: `select conversation_id from memberships m
             where user_id = $1 and role is not null and ${isNotEnding}`,
      values: [userId],
    });
    return rows.map((row) => row.conversation_id);
  }

  /** Of these conversations, those that the user is a member of. */
  async membership(userId: string, conversationIds: string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ conversation_id: string }>({
      name: 'join-membership',
      text: `select conversation_id from memberships m
             where user_id = $1 and conversation_id = any($2::uuid[]) and role is not null and ${isNotEnding}`,
      values: [userId, conversationIds],
    });
    return rows.map((row) => row.conversation_id);
  }

  private moment(): Promise<Moment> {
    const now = performance.now();
    if (!this.recent || now - this.recent.at > MOMENT_AGE_MS) {
      const value = this.readMoment();
      this.recent = { at: now, value };
      value.catch(() => (this.recent = undefined));
    }
    return this.recent.value;
  }

  private async readMoment(): Promise<Moment> {
    const [positions, accountCursor] = await Promise.all([
      this.log.positions(ALL_PARTITIONS),
      this.accounts.cursor(),
    ]);
    return {
      positions: ALL_PARTITIONS.map((partition) => positions.get(partition) ?? 0),
      accountCursor,
    };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import type { TracesOfRows } from '@parley/broker';
import type { PartitionRows } from '@parley/contracts';
import { SERVICE_CONFIG, counter, getLogger } from '@parley/service';
import type { FeedConfig } from '../config';
import { spansOf } from './batch.pieces';
import { BatchWalk, type Known } from './batch.walk';
import { ConversationCache, type ConversationState } from './conversation.cache';
import { EntryMaker } from './entry.maker';
import { FeedStore, type ParkedEvent } from './feed.store';

const log = getLogger('BatchApplier');

const rowsApplied = counter('notification_rows_total', 'Rows of the log that were applied.');
const unknownConversations = counter(
  'notification_unknown_conversations_total',
  'Messages of conversations that the log never created: there is a hole.',
);

interface Work {
  /** Whose positions are stored. */
  covered: PartitionRows[];
  /** Those of the rows that can be applied; all where nothing is said. */
  batch?: PartitionRows[];
  parked?: ParkedEvent[];
  /** Of the sampled rows: an entry goes on in the trace of its message. */
  traces?: TracesOfRows;
}

/** Applies one batch: who is to be told of what, stored with the positions in one transaction, and then pushed. */
@Injectable()
export class BatchApplier {
  constructor(
    private readonly store: FeedStore,
    private readonly cache: ConversationCache,
    private readonly entries: EntryMaker,
    @Inject(SERVICE_CONFIG) private readonly config: FeedConfig,
  ) {}

  /** @throws OutOfStep, and pg's errors; then nothing has been stored that a repeat would not find */
  async apply(epoch: string, work: Work): Promise<void> {
    const { covered, batch = covered, parked = [], traces } = work;
    const walk = new BatchWalk(await this.gather(batch), this.config.NOTIFICATION_SMALL_GROUP_MEMBERS_MAX);
    walk.walk(batch);
    const { drafts } = await this.entries.draft(walk);
    const inserted = await this.store.commit(epoch, spansOf(covered), walk, drafts, parked);
    for (const [id, state] of walk.changed) this.cache.set(id, state);
    for (const { rows } of batch) rowsApplied.inc(rows.length);
    if (walk.unknown > 0) {
      unknownConversations.inc(walk.unknown);
      log.error({ messages: walk.unknown }, 'Messages of unknown conversations were passed over.');
    }
    this.entries.tell(
      drafts.filter((entry) => inserted.has(entry.id)),
      traces && tracesByMessage(traces),
    );
  }

  /** Reads what the cache does not have of the conversations with new messages. */
  private async gather(batch: PartitionRows[]): Promise<Known> {
    const states = new Map<string, ConversationState>();
    const missing = new Set<string>();
    const asked: { conversationId: string; mentions: string[] }[] = [];
    const leavers = new Map<string, number>();
    for (const { rows } of batch) {
      for (const row of rows) {
        const { conversationId } = row;
        if (row.kind !== 'message.created' && row.kind !== 'member.changed') continue;
        const state = states.get(conversationId) ?? this.cache.get(conversationId);
        if (state) states.set(conversationId, state);
        if (row.kind === 'member.changed' && row.change === 'removed')
          leavers.set(conversationId, (leavers.get(conversationId) ?? 0) + 1);
        if (row.kind !== 'message.created') continue;
        if (!state) missing.add(conversationId);
        if (row.message.mentions.length > 0) asked.push({ conversationId, mentions: row.message.mentions });
      }
    }
    if (missing.size > 0) {
      const read = await this.store.conversations([...missing], this.cache.membersHeldMax);
      for (const [id, state] of read) {
        this.cache.set(id, state);
        states.set(id, state);
      }
    }
    // One that becomes small within the batch: whoever is left is told of its messages.
    const smallMax = this.config.NOTIFICATION_SMALL_GROUP_MEMBERS_MAX;
    const shrinking = [...leavers].flatMap(([id, left]) => {
      const { type, members, memberCount } = states.get(id) ?? { members: undefined, memberCount: 0 };
      return type === 'group' && members === null && memberCount - left <= smallMax
        ? [{ id, memberCount }]
        : [];
    });
    if (shrinking.length > 0) {
      const ids = shrinking.map(({ id }) => id);
      const most = Math.max(...shrinking.map(({ memberCount }) => memberCount));
      for (const [id, state] of await this.store.conversations(ids, most)) states.set(id, state);
    }
    const pairs = asked
      .filter(({ conversationId }) => states.get(conversationId)?.members === null)
      .flatMap(({ conversationId, mentions }) => mentions.map((userId) => ({ conversationId, userId })));
    const mentionedMembers = pairs.length > 0 ? await this.store.membersAmong(pairs) : new Set<string>();
    return { states, mentionedMembers };
  }
}

function tracesByMessage(traces: TracesOfRows): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [row, traceparent] of traces)
    if (row.kind === 'message.created') found.set(row.message.id, traceparent);
  return found;
}

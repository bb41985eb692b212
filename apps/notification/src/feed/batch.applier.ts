import { Inject, Injectable } from '@nestjs/common';
import { Publisher, type TracesOfRows } from '@parley/broker';
import type { PartitionRows } from '@parley/contracts';
import { SERVICE_CONFIG, counter, getLogger } from '@parley/service';
import type { Config } from '../config';
import { type Entry, entryId } from '../notification/entry';
import { Pruner } from '../notification/pruner';
import { spansOf } from './batch.pieces';
import { type Addressee, BatchWalk, type Known } from './batch.walk';
import { ConversationCache, type ConversationState } from './conversation.cache';
import { FeedStore, type ParkedEvent } from './feed.store';
import { PresenceLookup, type Presence } from './presence.lookup';

const log = getLogger('BatchApplier');

/** Clocks of different machines, and messages under way, may be so far apart. */
const TOLERANCE_MS = 5_000;

const rowsApplied = counter('notification_rows_total', 'Rows of the log that were applied.');
const entriesStored = counter('notification_entries_total', 'New entries of in-app lists.', ['type']);
const entriesPushed = counter('notification_pushed_total', 'New entries that were told to sockets.');
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
    private readonly presence: PresenceLookup,
    private readonly publisher: Publisher,
    private readonly pruner: Pruner,
    @Inject(SERVICE_CONFIG) private readonly config: Config,
  ) {}

  /** @throws OutOfStep, and pg's errors; then nothing has been stored that a repeat would not find */
  async apply(epoch: string, work: Work): Promise<void> {
    const { covered, batch = covered, parked = [], traces } = work;
    const walk = new BatchWalk(await this.gather(batch), this.config.NOTIFICATION_SMALL_GROUP_MEMBERS_MAX);
    walk.walk(batch);
    const lateBefore = Date.now() - this.config.NOTIFICATION_LIVE_MS;
    const absent = await this.absentOf(walk.members, lateBefore);
    const drafts = [
      ...walk.mentioned.map((addressee) => toEntry('mention', addressee)),
      ...absent.map((addressee) => toEntry('message', addressee)),
    ];
    const inserted = await this.store.commit(epoch, spansOf(covered), walk, drafts, parked);
    for (const [id, state] of walk.changed) this.cache.set(id, state);
    for (const { rows } of batch) rowsApplied.inc(rows.length);
    if (walk.unknown > 0) {
      unknownConversations.inc(walk.unknown);
      log.error({ messages: walk.unknown }, 'Messages of unknown conversations were passed over.');
    }
    this.tell(
      drafts.filter((entry) => inserted.has(entry.id)),
      lateBefore,
      traces && tracesByMessage(traces),
    );
  }

  /** Reads what the cache does not have of the conversations with new messages. */
  private async gather(batch: PartitionRows[]): Promise<Known> {
    const states = new Map<string, ConversationState>();
    const missing = new Set<string>();
    const asked: { conversationId: string; mentions: string[] }[] = [];
    for (const { rows } of batch) {
      for (const row of rows) {
        const { conversationId } = row;
        if (row.kind !== 'message.created' && row.kind !== 'member.changed') continue;
        const state = states.get(conversationId) ?? this.cache.get(conversationId);
        if (state) states.set(conversationId, state);
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
    const pairs = asked
      .filter(({ conversationId }) => states.get(conversationId)?.members === null)
      .flatMap(({ conversationId, mentions }) => mentions.map((userId) => ({ conversationId, userId })));
    const mentionedMembers = pairs.length > 0 ? await this.store.membersAmong(pairs) : new Set<string>();
    return { states, mentionedMembers };
  }

  /** Those who did not have the message on a socket. */
  private async absentOf(members: Addressee[], lateBefore: number): Promise<Addressee[]> {
    const candidates = members.filter(({ userId }) => !this.presence.isConnected(userId));
    if (candidates.length === 0) return [];
    const presenceOf = await this.presence.of(new Set(candidates.map(({ userId }) => userId)));
    return candidates.filter(({ userId, row }) =>
      wasAbsent(presenceOf(userId), Date.parse(row.message.createdAt), lateBefore),
    );
  }

  private tell(entries: Entry[], lateBefore: number, traces?: ReadonlyMap<string, string>): void {
    for (const { userId, ...notification } of entries) {
      entriesStored.inc({ type: notification.type });
      this.pruner.touched(userId);
      if (Date.parse(notification.createdAt) < lateBefore) continue;
      const traceparent = traces?.get(notification.messageId);
      this.publisher.users({ kind: 'notification.created', userId, notification }, traceparent);
      entriesPushed.inc();
    }
  }
}

/**
 * Whether somebody missed a message. Who is offline now and was last seen well after the message was connected then, or
 * has synced since: that matters when old rows are replayed. Of whom nothing is known, recent messages count as missed,
 * since one entry too many is better than one too few, and old ones do not, for a replay would bring a flood of them.
 */
function wasAbsent(presence: Presence, createdAt: number, lateBefore: number): boolean {
  if (presence.state === 'connected') return false;
  if (presence.state === 'unknown') return createdAt >= lateBefore;
  return presence.since === null || presence.since < createdAt + TOLERANCE_MS;
}

function toEntry(type: Entry['type'], { userId, row: { message } }: Addressee): Entry {
  return {
    userId,
    id: entryId(message.id, userId),
    type,
    conversationId: message.conversationId,
    messageId: message.id,
    number: message.number,
    senderId: message.senderId,
    createdAt: message.createdAt,
    readAt: null,
  };
}

function tracesByMessage(traces: TracesOfRows): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [row, traceparent] of traces)
    if (row.kind === 'message.created') found.set(row.message.id, traceparent);
  return found;
}

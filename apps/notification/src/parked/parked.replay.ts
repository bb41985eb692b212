import type { Requester } from '@parley/broker';
import type { LogEvent } from '@parley/contracts';
import { sqlStateOfRefusal } from '@parley/service';
import type { FeedConfig } from '../config';
import { faultOf } from '../feed/batch.pieces';
import { BatchWalk, type Known, pairKey } from '../feed/batch.walk';
import type { ConversationState } from '../feed/conversation.cache';
import type { EntryMaker } from '../feed/entry.maker';
import type { FeedStore } from '../feed/feed.store';
import { changesMembers, LogExcerpt } from './log.excerpt';
import type { Parked, ParkedStore } from './parked.store';
import { membersBefore, rewound } from './rewind';

/** What became of one event: entries that are new, or why it stays. */
export type Outcome = { entries: number } | { reason: string };

/** The feed goes on meanwhile: so often it may come in between, before the event is left for another time. */
const TURNS_MAX = 50;
/** Groups are bounded, so all members are held, whatever size the group has grown to. */
const EVERYBODY = 2 ** 31 - 1;

/**
 * Applies parked events after the fault was mended, beside the feed, which has gone on. Each message meets the memberships
 * of its time; a change of memberships is taken with all that came later, so that it overwrites nothing newer, and the
 * messages after it, which missed it, get the entries that they lack. Entries have derived ids, so a repeat changes nothing.
 */
export class ParkedReplay {
  constructor(
    private readonly store: ParkedStore,
    private readonly feed: FeedStore,
    private readonly requester: Requester,
    private readonly entries: EntryMaker,
    private readonly config: FeedConfig,
  ) {}

  /**
   * Events of one partition, in the order of the log. What fails stays parked with its new reason, counted.
   *
   * @throws ParleyError and pg's errors when a server is away; then the events that are left were not tried
   */
  async *run(partition: number, events: Parked[]): AsyncGenerator<[Parked, Outcome]> {
    const positions = new Set(events.map(({ position }) => position));
    const kept = this.config.NOTIFICATION_KEPT_PER_USER;
    const log = new LogExcerpt(this.requester, partition, positions, kept);
    await log.catchUp();
    for (const event of events) {
      const outcome = await this.replay(event, log);
      if ('reason' in outcome) await this.store.failed(event, outcome.reason);
      yield [event, outcome];
    }
  }

  private async replay(event: Parked, log: LogExcerpt): Promise<Outcome> {
    if (event.epoch !== log.epoch) return { reason: 'the log has another epoch by now' };
    const row = log.at(event.position);
    if (row === undefined) return { reason: 'the log does not have it' };
    const fault = faultOf(event.partition, row);
    if (fault !== undefined) return { reason: fault };
    try {
      return await this.apply(event, row as LogEvent, log);
    } catch (error) {
      const state = sqlStateOfRefusal(error);
      if (state === undefined) throw error;
      return { reason: `refused by the database: SQLSTATE ${state}` };
    }
  }

  private async apply(event: Parked, row: LogEvent, log: LogExcerpt): Promise<Outcome> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const applied = await this.store.position(event.partition);
      const walk = await this.walk(event.partition, row, log, applied);
      if (walk.unknown > 0) return { reason: 'conversation: is not known here' };
      const { drafts, unknown } = await this.entries.draft(walk);
      if (unknown > 0) return { reason: 'presence does not say who was offline' };
      const inserted = await this.store.settle(event, applied, walk, drafts);
      if (!inserted) continue;
      this.entries.tell(drafts.filter(({ id }) => inserted.has(id)));
      return { entries: inserted.size };
    }
    return { reason: 'the feed was faster each time' };
  }

  /** What the row, and what the feed has applied after it, comes to. */
  private async walk(partition: number, row: LogEvent, log: LogExcerpt, applied: number): Promise<BatchWalk> {
    const present = await this.present(row);
    // After the copies were read, so that no change in them is one that the log does not explain.
    await log.catchUp();
    const later = log.changesAfter(row);
    const isApplied = ({ position }: LogEvent) => position <= applied;
    const rows = changesMembers(row)
      ? [row, ...inOrder([...later, ...log.messagesAfter(row)].filter(isApplied))]
      : [row];
    const known = await this.knownBefore(row, rows, present, membersBefore(later));
    const walk = new BatchWalk(known, this.config.NOTIFICATION_SMALL_GROUP_MEMBERS_MAX);
    // Of a conversation that is gone nobody sees an entry, and its memberships went with it.
    const isGone = later.some((one) => one.kind === 'conversation.deleted' && isApplied(one));
    return isGone ? walk : walk.walk([{ partition, rows }]);
  }

  private async present({ kind, conversationId }: LogEvent): Promise<ConversationState | undefined> {
    if (kind === 'conversation.created') return undefined;
    return (await this.feed.conversations([conversationId], EVERYBODY)).get(conversationId);
  }

  /** The conversation as it was right before the row, reckoned back from how it is at present. */
  private async knownBefore(
    { conversationId }: LogEvent,
    rows: LogEvent[],
    present: ConversationState | undefined,
    before: ReadonlyMap<string, boolean>,
  ): Promise<Known> {
    if (!present) return { states: new Map(), mentionedMembers: new Set() };
    const members = present.members && rewound(present.members, before, (userId) => userId);
    const state = { ...present, members, memberCount: members?.size ?? present.memberCount };
    const states = new Map([[conversationId, state]]);
    if (members) return { states, mentionedMembers: new Set() };
    const mentioned = rows.flatMap((one) => (one.kind === 'message.created' ? one.message.mentions : []));
    const pairs = mentioned.map((userId) => ({ conversationId, userId }));
    const among = pairs.length > 0 ? await this.feed.membersAmong(pairs) : new Set<string>();
    return { states, mentionedMembers: rewound(among, before, (userId) => pairKey(conversationId, userId)) };
  }
}

function inOrder(rows: LogEvent[]): LogEvent[] {
  return rows.sort((a, b) => a.position - b.position);
}
